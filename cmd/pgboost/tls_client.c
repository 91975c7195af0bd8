#include "tls_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct tls_client {
    SSL_CTX *context;
    SSL *ssl;
};

void tls_client_free(struct tls_client *client)
{
    if (client == NULL)
        return;
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    free(client);
}
DEFINE_FREEP(struct tls_client *, tls_client_free)

/* The oldest of OpenSSL's own words, which name the cause. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_get_error());

    ERR_clear_error();
    return text != NULL ? text : "the connection was closed";
}

static bool is_address(const char *host)
{
    struct in6_addr address;

    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static enum err_code trust(SSL_CTX *context, const char *ca, struct err *err)
{
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    /* an answer that is cut short is no JSON */
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (ca == NULL)
        return SSL_CTX_set_default_verify_paths(context) == 1 ? ERR_OK : err_nomem(err);
    if (SSL_CTX_load_verify_file(context, ca) == 1)
        return ERR_OK;
    return err_set(err, ERR_CONFIG, "cannot read certificates from %s: %s", ca, reason());
}

/* A name also goes into the handshake, where several share an address. */
static bool expect(SSL *ssl, const char *host)
{
    if (is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static enum err_code shake_hands(SSL *ssl, const char *host, struct err *err)
{
    long verified;

    if (SSL_connect(ssl) == 1)
        return ERR_OK;
    verified = SSL_get_verify_result(ssl);
    if (verified == X509_V_OK)
        return err_set(err, ERR_FAILED, "no TLS with %s: %s", host, reason());
    ERR_clear_error();
    err_set(err, ERR_DENIED, "the certificate of %s is not trusted: %s", host,
            X509_verify_cert_error_string(verified));
    return err_hint(err, "name a file of its authority, or of the certificate itself, with --ca");
}

enum err_code tls_client_new(int fd, const char *host, const char *ca,
                             struct tls_client **ret_client, struct err *err)
{
    CLEANUP(tls_client_freep) struct tls_client *client = calloc(1, sizeof(*client));

    if (client == NULL)
        return err_nomem(err);
    signal(SIGPIPE, SIG_IGN);
    client->context = SSL_CTX_new(TLS_client_method());
    if (client->context == NULL)
        return err_nomem(err);
    TRY(trust(client->context, ca, err));
    client->ssl = SSL_new(client->context);
    if (client->ssl == NULL || SSL_set_fd(client->ssl, fd) != 1 || !expect(client->ssl, host))
        return err_nomem(err);
    TRY(shake_hands(client->ssl, host, err));
    *ret_client = TAKE_PTR(client);
    return ERR_OK;
}

/* Of a call that failed; a socket's own failure is in errno already. */
static ssize_t failed(const struct tls_client *client, int result)
{
    int error = SSL_get_error(client->ssl, result);

    ERR_clear_error();
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (error != SSL_ERROR_SYSCALL && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        errno = EPROTO;
    return -1;
}

ssize_t tls_client_send(struct tls_client *client, const void *data, size_t n_bytes)
{
    size_t n = 0;
    int result = SSL_write_ex(client->ssl, data, n_bytes, &n);

    return result == 1 ? (ssize_t)n : failed(client, result);
}

ssize_t tls_client_recv(struct tls_client *client, void *data, size_t n_bytes)
{
    size_t n = 0;
    int result = SSL_read_ex(client->ssl, data, n_bytes, &n);

    return result == 1 ? (ssize_t)n : failed(client, result);
}
