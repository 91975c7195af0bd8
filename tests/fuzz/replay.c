/*
 * Runs a fuzzer's function on the files it is given, folders included: for compilers without
 * libFuzzer, and to look at one input in a debugger.
 *
 *     build/tests/fuzz/replay_copy FILE|FOLDER…
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int n_inputs;

static void fail(const char *path, const char *message)
{
    fprintf(stderr, "%s: %s\n", path, message);
    exit(EXIT_FAILURE);
}

static void run_file(const char *path)
{
    CLEANUP(buf_release) struct buf bytes = {0};
    struct err err = {0};

    if (buf_read_file(&bytes, path, 1 << 26, &err) != ERR_OK)
        fail(path, err.message);
    LLVMFuzzerTestOneInput((const uint8_t *)buf_text(&bytes), bytes.length);
    n_inputs++;
}

static void run_folder(const char *path)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;

    if (folder == NULL)
        fail(path, "cannot be opened");
    while ((entry = readdir(folder)) != NULL) {
        CLEANUP(buf_release) struct buf inner = {0};

        if (entry->d_name[0] == '.')
            continue;
        buf_printf(&inner, "%s/%s", path, entry->d_name);
        run_file(buf_text(&inner));
    }
    closedir(folder);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct stat info;

        if (stat(argv[i], &info) != 0)
            fail(argv[i], "does not exist");
        if (S_ISDIR(info.st_mode))
            run_folder(argv[i]);
        else
            run_file(argv[i]);
    }
    printf("%d inputs\n", n_inputs);
    return n_inputs > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
