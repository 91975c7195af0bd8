#include "ask_daemon.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "config/options.h"

#define ANSWER_MAX      (1 << 20)
#define TIMEOUT_SECONDS 10
#define HTTP            "http://"
#define HTTPS           "https://"

struct question {
    const char *address, *ca;
    CURL *curl;
    char why[CURL_ERROR_SIZE]; /* libcurl's words */
    struct buf answer;
};

static void question_release(struct question *question)
{
    curl_easy_cleanup(question->curl);
    buf_release(&question->answer);
}

#define NOT_HTTP                                                                                   \
    ERR_FAILED, "what answers at %s does not speak HTTP",                                          \
        "is it a pgboostd? With TLS it is https:// and its address"

/* Where libcurl has words of its own for a failure; ours, and what to do. %s: the address. */
static const struct failure {
    CURLcode curl;
    enum err_code code;
    const char *format, *hint;
} failures[] = {
    {CURLE_PEER_FAILED_VERIFICATION, ERR_DENIED, "the certificate of %s is not trusted",
     "name a file of its authority, or of the certificate itself, with --ca"},
    {CURLE_SSL_CACERT_BADFILE, ERR_CONFIG, "cannot read the certificates to trust for %s",
     "--ca names a file in PEM form"},
    {CURLE_SSL_CONNECT_ERROR, ERR_FAILED, "no TLS with %s",
     "where the daemon has no tls_cert, the address is http://"},
    {CURLE_UNSUPPORTED_PROTOCOL, NOT_HTTP},
    {CURLE_GOT_NOTHING, NOT_HTTP},
    {CURLE_WEIRD_SERVER_REPLY, NOT_HTTP},
    {CURLE_WRITE_ERROR, ERR_LIMIT, "the answer of %s is too long", NULL},
    {CURLE_OK, ERR_UNREACHABLE, "no daemon answers at %s",
     "name another with --address, as the daemon's option \"listen\" has it"},
};

static enum err_code explain(const struct question *question, CURLcode code, struct err *err)
{
    const struct failure *failure = failures;
    const char *why = question->why[0] != '\0' ? question->why : curl_easy_strerror(code);
    CLEANUP(buf_release) struct buf what = {0};

    if (code == CURLE_OUT_OF_MEMORY)
        return err_nomem(err);
    while (failure->curl != code && failure->curl != CURLE_OK)
        failure++;
    buf_printf(&what, failure->format, question->address);
    err_set(err, failure->code, "%s: %s", buf_text(&what), why);
    return failure->hint != NULL ? err_hint(err, "%s", failure->hint) : failure->code;
}

static size_t take(char *data, size_t size, size_t n, void *context)
{
    struct question *question = context;

    if (question->answer.length + n > ANSWER_MAX)
        return CURL_WRITEFUNC_ERROR;
    buf_append(&question->answer, data, n);
    return size * n;
}

/* The Unix socket's path, or NULL and the URL of the host. */
static enum err_code find(struct question *question, const char *path, struct buf *url,
                          const char **ret_socket, struct err *err)
{
    const char *address = question->address;
    bool is_https = strncmp(address, HTTPS, strlen(HTTPS)) == 0;
    bool is_http = strncmp(address, HTTP, strlen(HTTP)) == 0;
    bool has_tls = is_https || (!is_http && question->ca != NULL);
    char host[256];
    int port;

    *ret_socket = address[0] == '/' ? address : options_listen_path(address);
    if (*ret_socket != NULL) {
        buf_printf(url, "http://localhost%s", path);
        return buf_check(url, err);
    }
    address += is_https ? strlen(HTTPS) : is_http ? strlen(HTTP) : 0;
    TRY(options_split_listen(address, host, sizeof(host), &port, err));
    if (host[0] == '\0')
        snprintf(host, sizeof(host), "localhost");
    buf_printf(url, strchr(host, ':') != NULL ? "%s://[%s]:%d%s" : "%s://%s:%d%s",
               has_tls ? "https" : "http", host, port, path);
    return buf_check(url, err);
}

/* A daemon is asked itself: no proxy, and no other protocol. */
static void prepare(struct question *question, const char *url, const char *socket)
{
    CURL *curl = question->curl;

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_SECONDS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, question->why);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, question);
    if (socket != NULL)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
    if (question->ca != NULL)
        curl_easy_setopt(curl, CURLOPT_CAINFO, question->ca);
}

enum err_code ask_daemon(const char *address, const char *ca, const char *path, int *ret_status,
                         struct buf *body, struct err *err)
{
    CLEANUP(question_release) struct question question = {.address = address, .ca = ca};
    CLEANUP(buf_release) struct buf url = {0};
    const char *socket;
    long status = 0;
    CURLcode code;

    TRY(find(&question, path, &url, &socket, err));
    question.curl = curl_easy_init();
    if (question.curl == NULL)
        return err_nomem(err);
    prepare(&question, buf_text(&url), socket);
    code = curl_easy_perform(question.curl);
    if (code != CURLE_OK)
        return explain(&question, code, err);
    curl_easy_getinfo(question.curl, CURLINFO_RESPONSE_CODE, &status);
    buf_append(body, buf_text(&question.answer), question.answer.length);
    *ret_status = (int)status;
    return buf_check(body, err);
}
