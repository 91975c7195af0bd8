#include <stdio.h>
#include <string.h>

#include "config/options.h"

static enum err_code refuse(const char *listen, struct err *err)
{
    err_set(err, ERR_CONFIG, "\"listen\": expected ADDRESS:PORT, found \"%.60s\"", listen);
    err_hint(err, "examples: \"127.0.0.1:8080\", \"0.0.0.0:80\", \"[::1]:0\"");
    err_field(err, "listen");
    return ERR_CONFIG;
}

/* -1 when the text is not a port. */
static int parse_port(const char *text)
{
    int port = 0;
    size_t length = strlen(text);

    if (length == 0 || length > 5 || strspn(text, "0123456789") != length)
        return -1;
    for (; *text != '\0'; text++)
        port = port * 10 + (*text - '0');
    return port <= 65535 ? port : -1;
}

const char *options_listen_path(const char *listen)
{
    return strncmp(listen, "unix:/", 6) == 0 ? listen + 5 : NULL;
}

enum err_code options_split_listen(const char *listen, char *host, size_t host_size, int *ret_port,
                                   struct err *err)
{
    const char *colon = strrchr(listen, ':'), *first = listen;
    int port = colon == NULL ? -1 : parse_port(colon + 1);
    size_t length = colon == NULL ? 0 : (size_t)(colon - listen);

    if (length > 2 && first[0] == '[' && first[length - 1] == ']') {
        first++;
        length -= 2;
    } else if (memchr(first, ':', length) != NULL) {
        return refuse(listen, err); /* an IPv6 address needs its brackets */
    }
    if (port < 0 || length == 0 || length >= host_size)
        return refuse(listen, err);
    for (size_t i = 0; i < length; i++)
        if (strchr(" []/", first[i]) != NULL)
            return refuse(listen, err);
    memcpy(host, first, length);
    host[length] = '\0';
    *ret_port = port;
    return ERR_OK;
}
