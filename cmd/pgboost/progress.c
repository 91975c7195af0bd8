#include "progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "text.h"

#define BAR_WIDTH 24

/* What the worker last wrote of itself. */
struct state {
    char stage[48];
    int64_t done, total; /* total 0: not counted */
    double best;         /* NaN: none yet */
    int64_t n_pruned;
    double seconds_left; /* NaN: not known */
};

static double number_of(const cJSON *root, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);

    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

static int64_t count_of(const cJSON *root, const char *name)
{
    double number = number_of(root, name);

    return number > 0 && number < 1e15 ? (int64_t)number : 0;
}

static void read_state(const struct run_row *run, struct state *state)
{
    CLEANUP(cjson_delete_ptr) cJSON *root = NULL;
    const cJSON *stage;

    *state = (struct state){.best = NAN, .seconds_left = NAN};
    snprintf(state->stage, sizeof(state->stage), "%s",
             strcmp(run->status, "running") == 0 ? "starting" : run->status);
    if (run->progress == NULL || strcmp(run->status, "running") != 0 ||
        json_parse(run->progress, strlen(run->progress), "progress", &root, NULL) != ERR_OK)
        return;
    stage = cJSON_GetObjectItemCaseSensitive(root, "stage");
    if (cJSON_IsString(stage))
        snprintf(state->stage, sizeof(state->stage), "%s", stage->valuestring);
    state->done = count_of(root, "done");
    state->total = count_of(root, "total");
    state->best = number_of(root, "best");
    state->n_pruned = count_of(root, "pruned");
    state->seconds_left = number_of(root, "seconds_left");
}

void progress_put_bar(struct buf *out, int64_t done, int64_t total)
{
    int filled = done >= total ? BAR_WIDTH : (int)((double)done / (double)total * BAR_WIDTH);

    buf_putc(out, '[');
    for (int i = 0; i < BAR_WIDTH; i++)
        buf_puts(out, i < filled ? "█" : "·");
    buf_puts(out, "] ");
}

static void put_state(struct buf *out, const struct run_row *run, const struct state *state)
{
    text_put_safe(out, state->stage);
    if (state->total > 0)
        buf_printf(out, " %" PRId64 "/%" PRId64, state->done, state->total);
    else if (state->done > 0)
        buf_printf(out, " %" PRId64, state->done);
    if (!isnan(state->best))
        buf_printf(out, ", best %s %.6g", run->metric, state->best);
    if (state->n_pruned > 0)
        buf_printf(out, ", %" PRId64 " pruned", state->n_pruned);
}

/* Of the search: what comes after it is not known yet. */
static void put_time_left(struct buf *out, double seconds_left)
{
    if (seconds_left < 60)
        buf_printf(out, ", %.0f s to go", seconds_left > 0 ? ceil(seconds_left) : 0);
    else if (seconds_left < 3600)
        buf_printf(out, ", %.0f min to go", ceil(seconds_left / 60));
    else
        buf_printf(out, ", %.1f h to go", seconds_left / 3600);
}

static void draw(struct progress *progress, const struct run_row *run, const struct state *state)
{
    CLEANUP(buf_release) struct buf line = {0};
    int seconds = (int)run->seconds;

    buf_printf(&line, "\r\033[Krun %" PRId64 "  ", run->id);
    if (state->total > 0)
        progress_put_bar(&line, state->done, state->total);
    put_state(&line, run, state);
    buf_printf(&line, "  %d:%02d", seconds / 60, seconds % 60);
    if (!isnan(state->seconds_left))
        put_time_left(&line, state->seconds_left);
    fputs(buf_text(&line), stderr);
    fflush(stderr);
    progress->drawn = true;
}

/* One line for a stage; trials one by one, rows and rounds not. */
static void say(struct progress *progress, const struct run_row *run, const struct state *state)
{
    CLEANUP(buf_release) struct buf line = {0};

    put_state(&line, run, state);
    if (strncmp(progress->last, state->stage, sizeof(progress->last)) == 0)
        return;
    snprintf(progress->last, sizeof(progress->last), "%s", state->stage);
    fprintf(stderr, "run %" PRId64 ": %s\n", run->id, buf_text(&line));
}

void progress_init(struct progress *progress, bool silent)
{
    *progress = (struct progress){.silent = silent, .terminal = isatty(STDERR_FILENO)};
}

void progress_show(struct progress *progress, const struct run_row *run)
{
    struct state state;

    if (progress->silent)
        return;
    read_state(run, &state);
    if (progress->terminal)
        draw(progress, run, &state);
    else
        say(progress, run, &state);
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
}
