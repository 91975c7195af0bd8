/*
 * What an operator writes: the first byte chooses whether the rest is a configuration file or a
 * file of tokens. Any text is read or refused with its line; what is read is within its bounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/options_file.h"
#include "config/options_table.h"
#include "config/tokens.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_options(const char *path)
{
    CLEANUP(options_release) struct options options = {0};
    struct err err = {0};

    for (int i = 0; i < n_option_rows; i++)
        if (option_set(&options, &option_rows[i], option_rows[i].fallback, "", ERR_CONFIG, NULL) !=
            ERR_OK)
            abort();
    if (options_read_file(&options, path, &err) != ERR_OK) {
        if (err.code != ERR_CONFIG && err.code != ERR_NOMEM)
            abort();
        return;
    }
    for (int i = 0; i < n_option_rows; i++) {
        const struct option_row *row = &option_rows[i];
        const char *at = (const char *)&options + row->offset;
        CLEANUP(buf_release) struct buf text = {0};
        int64_t amount;

        option_put_value(row, &options, &text);
        if (row->type == OPTION_TEXT || row->type == OPTION_CHOICE)
            continue;
        memcpy(&amount, at, sizeof(amount));
        if (amount < row->low || amount > row->high)
            abort();
    }
}

static void check_tokens(const char *path)
{
    CLEANUP(tokens_release) struct tokens tokens = {0};
    struct err err = {0};

    if (tokens_read(path, &tokens, &err) != ERR_OK) {
        if (err.code != ERR_CONFIG && err.code != ERR_NOMEM)
            abort();
        return;
    }
    if (tokens.n == 0 || tokens_find(&tokens, "x", 1) != NULL)
        abort();
    for (int i = 0; i < tokens.n; i++) {
        struct token *token = &tokens.items[i];

        if (token->scopes == 0 || token->rate < 0 || token->rate > TOKEN_RATE_MAX ||
            !token_spend(token, 1) ||
            (token->n_projects > 0 &&
             !token_sees(token, token->projects[0], strlen(token->projects[0]))))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    char path[64];

    if (size == 0)
        return 0;
    if (fd < 0 && (fd = memfd_create("options", MFD_CLOEXEC)) < 0)
        abort();
    if (ftruncate(fd, 0) != 0 || pwrite(fd, data + 1, size - 1, 0) != (ssize_t)size - 1)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (data[0] % 2 == 0)
        check_options(path);
    else
        check_tokens(path);
    return 0;
}
