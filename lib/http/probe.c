#include "http/probe.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/json.h"
#include "predict/predict.h"

/* Predicting ---------------------------------------------------------------------------------- */

static const struct registry_project *choose(const struct registry_view *view, unsigned turn)
{
    int n = registry_n_projects(view);

    for (int i = 0; i < n; i++) {
        const struct registry_project *project =
            registry_at(view, (int)((turn + (unsigned)i) % (unsigned)n));

        if (project->model != NULL)
            return project;
    }
    return NULL;
}

static enum err_code find_chosen(void *context, const char *project, size_t project_length,
                                 int64_t model_id, const struct model **ret_model, struct err *err)
{
    const struct registry_project *chosen = context;

    (void)project;
    (void)project_length;
    (void)model_id;
    (void)err;
    *ret_model = chosen->model;
    return ERR_OK;
}

static enum err_code predict_for(const struct registry_project *project, struct err *err)
{
    CLEANUP(predict_scratch_release) struct predict_scratch scratch = {0};
    CLEANUP(buf_release) struct buf body = {0};
    CLEANUP(buf_release) struct buf reply = {0};
    const struct model_source source = {.find = find_chosen, .context = (void *)project};
    const struct predict_limits limits = {.max_rows = 1};

    buf_puts(&body, "{\"project\":");
    json_put_text(&body, project->name);
    buf_puts(&body, ",\"features\":{}}");
    TRY(buf_check(&body, err));
    return predict_json(buf_text(&body), body.length, &source, &limits, &scratch, &reply, err);
}

enum err_code probe_prediction(struct registry *registry, unsigned turn, struct err *err)
{
    const struct registry_view *view = registry_read_lock(registry);
    const struct registry_project *project = choose(view, turn);
    enum err_code code = project != NULL ? predict_for(project, err) : ERR_OK;

    registry_read_unlock();
    return code;
}

/* Asking -------------------------------------------------------------------------------------- */

static enum err_code fail(const char *what, struct err *err)
{
    bool late = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINPROGRESS;

    err_errno(err, errno, "%s", what);
    if (late && err != NULL)
        err->code = ERR_TIMEOUT;
    return late ? ERR_TIMEOUT : ERR_IO;
}

enum err_code probe_socket(int listen_fd, int timeout_ms, struct err *err)
{
    static const char request[] =
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    struct sockaddr_storage name;
    socklen_t size = sizeof(name);
    CLEANUP(close_fd) int fd = -1;
    char answer[64];

    if (getsockname(listen_fd, (struct sockaddr *)&name, &size) != 0)
        return fail("the listening socket has no name", err);
    fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) != 0)
        return fail("no socket can be had", err);
    if (connect(fd, (const struct sockaddr *)&name, size) != 0)
        return fail("the daemon's own socket cannot be reached", err);
    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0 ||
        recv(fd, answer, sizeof(answer), 0) < 0)
        return fail("no serving thread answers", err);
    return ERR_OK;
}
