/*
 * A server that says what a test tells it to, over a Unix socket: every failure of a connection, a
 * statement and a COPY without a Postgres. One connection, on a thread of its own.
 *
 * The first answer is to the start-up packet; each later one to a statement (the messages up to
 * Sync, or one simple Query). After the last answer the server stays silent, stops reading, or
 * hangs up.
 */
#ifndef TESTS_UNIT_PG_FAKE_SERVER_H
#define TESTS_UNIT_PG_FAKE_SERVER_H

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"

#define FAKE_ANSWERS_MAX 8

struct fake_server {
    int listener;
    pthread_t thread;
    struct buf answers[FAKE_ANSWERS_MAX];
    int n_answers;
    bool hang_up; /* after the last answer */
    bool deaf;    /* after the last answer: stays, and reads nothing */
    char folder[32], path[64], dsn[128];
};

static inline void fake_put_int(struct buf *buf, uint32_t value, int n_bytes)
{
    for (int shift = 8 * (n_bytes - 1); shift >= 0; shift -= 8)
        buf_putc(buf, (char)(value >> shift));
}

static inline void fake_put_message(struct buf *buf, char type, const void *payload, size_t n_bytes)
{
    buf_putc(buf, type);
    fake_put_int(buf, (uint32_t)n_bytes + 4, 4);
    buf_append(buf, payload, n_bytes);
}

static inline void fake_put_ready(struct buf *buf)
{
    fake_put_message(buf, 'Z', "I", 1);
}

/* ErrorResponse; position may be NULL. Severity in a language that is not English. */
static inline void fake_put_error(struct buf *buf, const char *sqlstate, const char *message,
                                  const char *hint, const char *position)
{
    CLEANUP(buf_release) struct buf fields = {0};
    const char *const values[] = {"FATAL", sqlstate, message, hint, position};
    const char *const codes = "VCMHP";

    buf_append(&fields, "SFATALE", 8);
    for (int i = 0; i < 5; i++) {
        if (values[i] == NULL)
            continue;
        buf_putc(&fields, codes[i]);
        buf_append(&fields, values[i], strlen(values[i]) + 1);
    }
    buf_putc(&fields, '\0');
    fake_put_message(buf, 'E', fields.data, fields.length);
}

static inline void fake_put_complete(struct buf *buf, const char *tag)
{
    fake_put_message(buf, 'C', tag, strlen(tag) + 1);
}

/* A statement without rows, as the extended protocol answers it. */
static inline void fake_put_done(struct buf *buf, const char *tag)
{
    fake_put_message(buf, '1', NULL, 0);
    fake_put_message(buf, '2', NULL, 0);
    fake_put_message(buf, 'n', NULL, 0);
    fake_put_complete(buf, tag);
    fake_put_ready(buf);
}

/* One text column, one row for each value (NULL: SQL NULL). */
static inline void fake_put_rows(struct buf *buf, const char *const *values, int n_rows)
{
    static const char description[] = "\0\1c\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";

    fake_put_message(buf, '1', NULL, 0);
    fake_put_message(buf, '2', NULL, 0);
    fake_put_message(buf, 'T', description, sizeof(description) - 1);
    for (int i = 0; i < n_rows; i++) {
        CLEANUP(buf_release) struct buf row = {0};
        size_t length = values[i] != NULL ? strlen(values[i]) : 0;

        fake_put_int(&row, 1, 2);
        fake_put_int(&row, values[i] != NULL ? (uint32_t)length : UINT32_MAX, 4);
        buf_append(&row, values[i] != NULL ? values[i] : "", length);
        fake_put_message(buf, 'D', row.data, row.length);
    }
    fake_put_complete(buf, "SELECT");
    fake_put_ready(buf);
}

/* The next answer, to be filled before fake_start. */
static inline struct buf *fake_answer(struct fake_server *server)
{
    return &server->answers[server->n_answers++];
}

/* The answers that let pg_connect succeed: to the start-up packet and to the settings. */
static inline void fake_accept(struct fake_server *server)
{
    struct buf *start = fake_answer(server);
    static const char version[] = "server_version\00015.20", encoding[] = "client_encoding\0UTF8";

    fake_put_message(start, 'R', "\0\0\0\0", 4);
    fake_put_message(start, 'S', version, sizeof(version));
    fake_put_message(start, 'S', encoding, sizeof(encoding));
    fake_put_message(start, 'K', "\0\0\0\1\0\0\0\2", 8);
    fake_put_ready(start);
    fake_put_done(fake_answer(server), "SELECT 1");
}

static inline bool fake_read(int fd, void *data, size_t n_bytes)
{
    return recv(fd, data, n_bytes, MSG_WAITALL) == (ssize_t)n_bytes;
}

/* A message's type, its payload thrown away; 0 when the client has gone. The start-up packet has no
 * type. */
static inline int fake_read_message(int fd, bool startup)
{
    char type = 'S', scratch[4096];
    uint8_t length[4];
    size_t left;

    if (!startup && !fake_read(fd, &type, 1))
        return 0;
    if (!fake_read(fd, length, 4))
        return 0;
    left =
        ((size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | length[3]) -
        4;
    while (left > 0) {
        size_t n = left < sizeof(scratch) ? left : sizeof(scratch);

        if (!fake_read(fd, scratch, n))
            return 0;
        left -= n;
    }
    return type;
}

static inline void *fake_run(void *context)
{
    struct fake_server *server = context;
    int fd = accept(server->listener, NULL, NULL), type = 'S';
    struct pollfd stop = {.fd = server->listener}; /* its shutdown in fake_stop */

    if (fd < 0)
        return NULL;
    for (int i = 0; i < server->n_answers; i++) {
        do
            type = fake_read_message(fd, i == 0);
        while (type != 0 && type != 'S' && type != 'Q');
        if (type == 0)
            break;
        if (send(fd, buf_text(&server->answers[i]), server->answers[i].length, MSG_NOSIGNAL) < 0)
            break;
    }
    if (server->deaf)
        poll(&stop, 1, -1);
    while (!server->hang_up && !server->deaf && type != 0)
        type = fake_read_message(fd, server->n_answers == 0);
    close(fd);
    return NULL;
}

/* False when this machine does not let us. */
static inline bool fake_start(struct fake_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(server->folder, "/tmp/pgboost-XXXXXX");
    if (mkdtemp(server->folder) == NULL)
        return false;
    snprintf(server->path, sizeof(server->path), "%s/.s.PGSQL.5432", server->folder);
    snprintf(server->dsn, sizeof(server->dsn), "host=%s port=5432 user=reader dbname=flights",
             server->folder);
    strcpy(address.sun_path, server->path);
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return server->listener >= 0 &&
           bind(server->listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
           listen(server->listener, 1) == 0 &&
           pthread_create(&server->thread, NULL, fake_run, server) == 0;
}

/* After the client has closed its end. */
static inline void fake_stop(struct fake_server *server)
{
    shutdown(server->listener, SHUT_RDWR); /* wakes an accept that nobody answered */
    pthread_join(server->thread, NULL);
    close(server->listener);
    unlink(server->path);
    rmdir(server->folder);
    for (int i = 0; i < server->n_answers; i++)
        buf_release(&server->answers[i]);
}

#endif
