#include "http/tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"

#define FILE_BYTES_MAX (1 << 20)
#define CHAIN_MAX      16

struct tls_identity {
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned n_chain;
    gnutls_privkey_t key;
    int64_t from_s, until_s;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tls_identity *in_use[TLS_KEPT]; /* newest first */

void tls_free(struct tls_identity *identity)
{
    if (identity == NULL)
        return;
    for (unsigned i = 0; i < identity->n_chain; i++)
        gnutls_pcert_deinit(&identity->chain[i]);
    if (identity->key != NULL)
        gnutls_privkey_deinit(identity->key);
    free(identity);
}

/* Loading ------------------------------------------------------------------------------------- */

static enum err_code refuse(const char *option, const char *path, int failure, struct err *err)
{
    err_set(err, ERR_CONFIG, "\"%s\": \"%s\": %s", option, path, gnutls_strerror(failure));
    return err_field(err, "%s", option);
}

static enum err_code read_pem(const char *option, const char *path, struct buf *text,
                              struct err *err)
{
    struct err failure;

    if (buf_read_file(text, path, FILE_BYTES_MAX, &failure) == ERR_OK)
        return ERR_OK;
    err_set(err, ERR_CONFIG, "\"%s\": %s", option, failure.message);
    return err_field(err, "%s", option);
}

static gnutls_datum_t datum(const struct buf *text)
{
    return (gnutls_datum_t){(unsigned char *)text->data, (unsigned)text->length};
}

static enum err_code load_chain(const char *path, const struct buf *text,
                                struct tls_identity *identity, struct err *err)
{
    gnutls_datum_t pem = datum(text);
    unsigned n = CHAIN_MAX;
    int failure =
        gnutls_pcert_list_import_x509_raw(identity->chain, &n, &pem, GNUTLS_X509_FMT_PEM, 0);

    if (failure != 0)
        return refuse("tls_cert", path, failure, err);
    identity->n_chain = n;
    return ERR_OK;
}

/* A chain holds while each of it does. */
static enum err_code note_validity(const char *path, struct tls_identity *identity, struct err *err)
{
    identity->until_s = INT64_MAX;
    for (unsigned i = 0; i < identity->n_chain; i++) {
        gnutls_x509_crt_t certificate;
        int failure = gnutls_pcert_export_x509(&identity->chain[i], &certificate);
        int64_t from_s, until_s;

        if (failure != 0)
            return refuse("tls_cert", path, failure, err);
        from_s = gnutls_x509_crt_get_activation_time(certificate);
        until_s = gnutls_x509_crt_get_expiration_time(certificate);
        gnutls_x509_crt_deinit(certificate);
        identity->from_s = i == 0 || from_s > identity->from_s ? from_s : identity->from_s;
        identity->until_s = until_s < identity->until_s ? until_s : identity->until_s;
    }
    return ERR_OK;
}

static enum err_code load_key(const char *path, const struct buf *text,
                              struct tls_identity *identity, struct err *err)
{
    gnutls_datum_t pem = datum(text);
    int failure = gnutls_privkey_init(&identity->key);

    if (failure == 0)
        failure = gnutls_privkey_import_x509_raw(identity->key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    return failure == 0 ? ERR_OK : refuse("tls_key", path, failure, err);
}

/* GnuTLS compares the two when it takes them as a pair. */
static enum err_code check_pair(const char *path, const struct buf *certificate,
                                const struct buf *key, struct err *err)
{
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t certificate_pem = datum(certificate), key_pem = datum(key);
    int failure = gnutls_certificate_allocate_credentials(&credentials);

    if (failure != 0)
        return err_nomem(err);
    failure = gnutls_certificate_set_x509_key_mem(credentials, &certificate_pem, &key_pem,
                                                  GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(credentials);
    return failure >= 0 ? ERR_OK : refuse("tls_key", path, failure, err);
}

static enum err_code check_secrecy(const char *path, struct err *err)
{
    struct stat status;

    if (stat(path, &status) != 0 || (status.st_mode & 07) == 0)
        return ERR_OK;
    err_set(err, ERR_CONFIG, "\"tls_key\": every user of this machine may use \"%s\"", path);
    err_field(err, "tls_key");
    return err_hint(err, "take it from them: chmod o= '%s'", path);
}

enum err_code tls_load(const char *certificate, const char *key, struct tls_identity **ret_identity,
                       struct err *err)
{
    CLEANUP(tls_freep) struct tls_identity *identity = calloc(1, sizeof(*identity));
    CLEANUP(buf_release) struct buf certificate_text = {0}, key_text = {0};

    if (identity == NULL)
        return err_nomem(err);
    TRY(check_secrecy(key, err));
    TRY(read_pem("tls_cert", certificate, &certificate_text, err));
    TRY(read_pem("tls_key", key, &key_text, err));
    TRY(load_chain(certificate, &certificate_text, identity, err));
    TRY(note_validity(certificate, identity, err));
    TRY(load_key(key, &key_text, identity, err));
    TRY(check_pair(key, &certificate_text, &key_text, err));
    explicit_bzero(key_text.data, key_text.length);
    *ret_identity = TAKE_PTR(identity);
    return ERR_OK;
}

void tls_validity(const struct tls_identity *identity, int64_t *ret_from_s, int64_t *ret_until_s)
{
    *ret_from_s = identity->from_s;
    *ret_until_s = identity->until_s;
}

/* Use ----------------------------------------------------------------------------------------- */

void tls_use(struct tls_identity *identity)
{
    struct tls_identity *oldest;

    pthread_mutex_lock(&lock);
    oldest = in_use[TLS_KEPT - 1];
    memmove(&in_use[1], &in_use[0], (TLS_KEPT - 1) * sizeof(in_use[0]));
    in_use[0] = identity;
    pthread_mutex_unlock(&lock);
    tls_free(oldest);
}

static int retrieve(gnutls_session_t session, const gnutls_datum_t *names, int n_names,
                    const gnutls_pk_algorithm_t *algorithms, int n_algorithms,
                    gnutls_pcert_st **chain, unsigned *n_chain, gnutls_privkey_t *key)
{
    struct tls_identity *identity;

    (void)session, (void)names, (void)n_names, (void)algorithms, (void)n_algorithms;
    pthread_mutex_lock(&lock);
    identity = in_use[0];
    pthread_mutex_unlock(&lock);
    if (identity == NULL)
        return -1;
    *chain = identity->chain;
    *n_chain = identity->n_chain;
    *key = identity->key;
    return 0;
}

void *tls_callback(void)
{
    return (void *)(uintptr_t)retrieve;
}
