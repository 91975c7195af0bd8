/*
 * The floor of bench-serve: what libmicrohttpd answers when there is nothing to do. Reads each
 * request's body and answers the bytes of a file, with the daemon's own options of the library.
 *
 *     floor THREADS FILE [each]     each: a response made for each answer, as answers that differ
 *                                   need; else one is made at the start
 *
 * Listens on a free port of 127.0.0.1 and prints it; SIGTERM ends it.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define IDLE_SECONDS    30
#define HEAD_BYTES_MAX  (16 << 10)

static struct MHD_Response *prepared; /* NULL: one is made for each answer */
static char answer[1 << 16];
static size_t n_answer;

static struct MHD_Response *make_response(void)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(n_answer, answer, MHD_RESPMEM_PERSISTENT);

    if (response == NULL ||
        MHD_add_response_header(response, "Content-Type", "application/json") == MHD_NO)
        abort();
    return response;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *n_bytes, void **state)
{
    struct MHD_Response *response = prepared;
    enum MHD_Result result;

    (void)cls;
    (void)url;
    (void)method;
    (void)version;
    (void)data;
    if (*state == NULL) {
        *state = answer; /* the head; the body is still to come */
        return MHD_YES;
    }
    if (*n_bytes > 0) {
        *n_bytes = 0;
        return MHD_YES;
    }
    if (response != NULL)
        return MHD_queue_response(connection, MHD_HTTP_OK, response);
    response = make_response();
    result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static void read_answer(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    n_answer = fread(answer, 1, sizeof(answer), file);
    fclose(file);
}

int main(int argc, char **argv)
{
    unsigned n_threads = argc > 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *daemon;

    if (n_threads == 0) {
        fprintf(stderr, "usage: %s THREADS FILE [each]\n", argv[0]);
        return 2;
    }
    read_answer(argv[2]);
    if (argc == 3)
        prepared = make_response();
    daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        handle, NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES_MAX,
        n_threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, n_threads, MHD_OPTION_END);
    if (daemon == NULL) {
        fprintf(stderr, "floor: cannot start\n");
        return EXIT_FAILURE;
    }
    printf("listening on http://127.0.0.1:%u\n",
           (unsigned)MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    for (;;)
        pause();
}
