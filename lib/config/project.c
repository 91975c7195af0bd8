#include "config/project.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/zone.h"
#include "config/project_keys.h"
#include "config/project_read.h"
#include "schedule/cron.h"

#define FILE_BYTES_MAX (1 << 20)
#define NAME_BYTES_MAX 63

void project_free(struct project *project)
{
    if (project == NULL)
        return;
    cJSON_Delete(project->json);
    arena_release(&project->arena);
    free(project);
}

enum err_code project_check_name(const char *name, struct err *err)
{
    size_t length = strlen(name);

    if (length == 0)
        return err_set(err, ERR_INVALID, "a project's name must not be empty");
    if (length > NAME_BYTES_MAX)
        return err_set(err, ERR_INVALID, "a project's name has at most %d bytes, this one %zu",
                       NAME_BYTES_MAX, length);
    if (!utf8_valid(name, length))
        return err_set(err, ERR_INVALID, "a project's name must be valid UTF-8");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
            return err_set(err, ERR_INVALID, "a project's name must not hold control characters");
    /* it is a part of addresses and of file names */
    if (strchr(name, '/') != NULL || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return err_set(err, ERR_INVALID,
                       "a project's name must not hold \"/\" and not be \".\" or \"..\"");
    return ERR_OK;
}

static enum err_code check_times(const struct project_reader *reader, struct err *err)
{
    const struct project *project = reader->project;
    CLEANUP(zone_freep) struct zone *zone = NULL;
    struct err reason = {0};
    struct cron cron;

    if (zone_new(project->timezone, &zone, &reason) != ERR_OK) {
        project_refuse(reader, "/timezone", err, "%s", reason.message);
        return err_hint(err, "%s", reason.hint);
    }
    if (project->schedule != NULL && cron_parse(project->schedule, &cron, &reason) != ERR_OK) {
        project_refuse(reader, "/schedule", err, "%s", reason.message);
        return err_hint(err, "%s", reason.hint);
    }
    return ERR_OK;
}

/* Which rows are one list, and which answers are not known to their end, no task can do without;
 * no other can do anything with the latter. */
static enum err_code check_task(const struct project_reader *reader, struct err *err)
{
    const struct project *project = reader->project;
    const char *ends[] = {project->event, project->target_upper};

    if (project->task == TASK_RANKING && project->group == NULL) {
        project_refuse(reader, "/task", err, "a ranking needs the key \"group\"");
        return err_hint(err, "add \"group\": the name of the column whose equal values are one "
                             "list: a query, a customer's offers");
    }
    if (project->task == TASK_RANKING &&
        (project->test_by == TEST_BY_RANDOM || project->test_by == TEST_BY_STRATIFIED)) {
        project_refuse(reader, "/test/by", err, "a ranking is split by whole lists");
        return err_hint(err, "use \"group\" or \"time\", or leave it out");
    }
    if (project->task == TASK_SURVIVAL && (ends[0] == NULL) == (ends[1] == NULL)) {
        project_refuse(reader, ends[0] == NULL ? "/task" : "/target_upper", err,
                       "survival takes one of the keys \"event\" and \"target_upper\"%s",
                       ends[0] == NULL ? "" : ", not both");
        return err_hint(err,
                        "\"event\" names the column that says whether the event came at the "
                        "target's time or was not seen until then; \"target_upper\" the latest "
                        "time at which it may have come");
    }
    for (size_t i = 0; i < N_ELEMENTS(ends); i++) {
        if (project->task == TASK_SURVIVAL || ends[i] == NULL)
            continue;
        project_refuse(reader, i == 0 ? "/event" : "/target_upper", err,
                       "only \"task\": \"survival\" has it");
        return err_hint(err, "leave the key out, or say \"task\": \"survival\"");
    }
    return ERR_OK;
}

static enum err_code check_score(const struct project_reader *reader, struct err *err)
{
    const struct project *project = reader->project;
    const struct score_definition *score = &project->score;
    struct err reason = {0};
    struct cron cron;

    if (score->into == NULL) {
        if (!cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(project->json, "score")))
            return ERR_OK;
        project_refuse(reader, "/score", err, "expected \"into\": the table that is written");
        return err_hint(err, "\"score\": {\"into\": \"public.scores\", \"after\": \"train\"}");
    }
    if (project->key.n == 0) {
        project_refuse(reader, "/score", err, "scores need the key \"key\"");
        return err_hint(err, "add \"key\": the columns that name a row of the table");
    }
    if (score->after == NULL || strcmp(score->after, "train") == 0 ||
        cron_parse(score->after, &cron, &reason) == ERR_OK)
        return ERR_OK;
    project_refuse(reader, "/score/after", err, "neither \"train\" nor a schedule: %s",
                   reason.message);
    return err_hint(err, "%s", reason.hint);
}

/* What one value says about another, or needs more than its type to be right. */
static enum err_code check(const struct project_reader *reader, struct err *err)
{
    const struct project *project = reader->project;
    struct err reason = {0};

    if (project_check_name(project->name, &reason) != ERR_OK)
        return project_refuse(reader, "/project", err, "%s", reason.message);
    if (project->test_by == TEST_BY_TIME && project->time == NULL) {
        project_refuse(reader, "/test/by", err, "a split by time needs the key \"time\"");
        return err_hint(err, "add \"time\": the name of the column that says when a row happened");
    }
    if (project->test_by == TEST_BY_GROUP && project->group == NULL) {
        project_refuse(reader, "/test/by", err, "a split by group needs the key \"group\"");
        return err_hint(err, "add \"group\": the name of the column whose equal values belong "
                             "together");
    }
    if (project->test_by == TEST_BY_STRATIFIED && project->task == TASK_REGRESSION) {
        project_refuse(reader, "/test/by", err, "a stratified split needs classes");
        return err_hint(err, "use \"random\" or \"time\" for a regression");
    }
    TRY(check_task(reader, err));
    TRY(check_score(reader, err));
    return check_times(reader, err);
}

static enum err_code keep_text(struct project *project, const char *text, size_t length,
                               struct err *err)
{
    CLEANUP(buf_release) struct buf compact = {0};

    TRY(json_compact(text, length, &compact, err));
    project->json_text = arena_strndup(&project->arena, buf_text(&compact), compact.length);
    return project->json_text == NULL ? err_nomem(err) : ERR_OK;
}

static enum err_code parse(const char *text, size_t length, struct project *project,
                           struct err *err)
{
    struct project_reader reader = {project, text, length};
    enum err_code code = json_parse(text, length, NULL, &project->json, err);

    if (code != ERR_OK && code != ERR_NOMEM && err != NULL)
        err->code = ERR_CONFIG; /* whatever is wrong with a definition */
    if (code != ERR_OK)
        return code == ERR_NOMEM ? code : ERR_CONFIG;
    TRY(project_read(&reader, err));
    TRY(check(&reader, err));
    return keep_text(project, text, length, err);
}

enum err_code project_parse(const char *text, size_t length, const char *what,
                            struct project **ret_project, struct err *err)
{
    CLEANUP(project_freep) struct project *project = calloc(1, sizeof(*project));
    enum err_code code;

    if (project == NULL)
        return err_nomem(err);
    code = parse(text, length, project, err);
    if (code != ERR_OK) {
        err_prefix(err, "%s", what);
        return code;
    }
    *ret_project = TAKE_PTR(project);
    return ERR_OK;
}

enum err_code project_load(const char *path, struct project **ret_project, struct err *err)
{
    CLEANUP(buf_release) struct buf text = {0};

    TRY(buf_read_file(&text, path, FILE_BYTES_MAX, err));
    return project_parse(text.data, text.length, path, ret_project, err);
}

static const char *choice_name(const struct choice *choices, int value, const char *fallback)
{
    for (; choices->name != NULL; choices++)
        if (choices->value == value)
            return choices->name;
    return fallback;
}

const char *task_name(enum task task)
{
    return choice_name(task_choices, (int)task, "auto");
}

const char *algorithm_name(enum algorithm_id id)
{
    return choice_name(algorithm_choices, (int)id, "xgboost");
}

bool algorithm_find(const char *name, enum algorithm_id *ret_id)
{
    for (const struct choice *choice = algorithm_choices; choice->name != NULL; choice++) {
        if (strcmp(choice->name, name) != 0)
            continue;
        *ret_id = (enum algorithm_id)choice->value;
        return true;
    }
    return false;
}

const char *column_as_name(enum column_as as)
{
    return choice_name(column_as_choices, (int)as, "auto");
}

const char *column_impute_name(enum column_impute impute)
{
    return choice_name(column_impute_choices, (int)impute,
                       impute == IMPUTE_NUMBER ? "a number" : "a label");
}

const char *column_encode_name(enum column_encode encode)
{
    return choice_name(column_encode_choices, (int)encode, "ordinal");
}

const char *column_scale_name(enum column_scale scale)
{
    return choice_name(column_scale_choices, (int)scale, "none");
}
