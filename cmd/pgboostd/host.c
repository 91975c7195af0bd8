#include "host.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"

#define FILES_WANTED 8192

int host_n_cores(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

void host_raise_file_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= FILES_WANTED)
        return;
    files.rlim_cur = files.rlim_max < FILES_WANTED ? files.rlim_max : FILES_WANTED;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        log_warning("the limit of open files cannot be raised", "errno=%d", errno);
}

static enum err_code make_one(const char *path, struct err *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return ERR_OK;
    err_errno(err, errno, "cannot make the folder \"%s\"", path);
    return err_hint(err, "name another with --state-dir");
}

enum err_code host_make_folder(const char *path, struct err *err)
{
    char part[4096];
    size_t length = strlen(path);

    if (length >= sizeof(part))
        return err_set(err, ERR_CONFIG, "the path of state_dir is too long");
    memcpy(part, path, length + 1);
    for (size_t i = 1; i <= length; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        TRY(make_one(part, err));
        part[i] = path[i];
    }
    return ERR_OK;
}
