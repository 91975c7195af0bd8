/*
 * pgboost-worker: claims a queued run and trains it, then exits. Or imports one model.
 *
 * A process of its own because XGBoost may crash, run out of memory or be killed, and serving must
 * not notice. pgboostd, `pgboost train --here` and `pgboost import` start it; an operator can start
 * it by hand.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/process.h"
#include "base/scheduling.h"
#include "config/options.h"
#include "train/import.h"
#include "train/run.h"
#include "xgb/booster.h"

static void print_help(void)
{
    printf(
        "pgboost-worker claims a queued training run and trains it; where none is queued, it\n"
        "helps with the trials of one that is under way.\n\n"
        "Usage: pgboost-worker [OPTION]…\n\n"
        "  --run ID            this run; without it, the oldest that is queued\n"
        "  --help-run ID       help with the trials of this run, which another worker holds\n"
        "  --name NAME         how the catalog calls this worker (default: HOST:PID)\n"
        "  --dsn DSN           catalog: reads and writes (default: PGBOOST_DSN, then PG*)\n"
        "  --read-dsn DSN      where relations are read (default: PGBOOST_READ_DSN, then dsn)\n"
        "  --import FILE       no run: FILE becomes a model of --project, and the last line on\n"
        "                      standard output says which, or why not, as JSON\n"
        "  --project NAME      of --import\n"
        "  --deploy            with --import: make the model live\n"
        "  --threads N         threads of XGBoost (default: OMP_NUM_THREADS, then the cores)\n"
        "  --spill-above SIZE  rows and encoded matrix of a run go to a file where they need more\n"
        "                      memory (default: PGBOOST_SPILL_ABOVE, then 64 MiB)\n"
        "  --state-dir DIR     where that file is (default: PGBOOST_STATE_DIR, TMPDIR, /var/tmp)\n"
        "  --nice N            priority, 0 to 19 (default: 10)\n"
        "  --die-with-parent[=PID]  end when the process that started this one, PID, ends\n"
        "  --version           the version\n"
        "  --help              this page\n\n"
        "Prefer PGBOOST_DSN or a service file over --dsn: the command line is public.\n"
        "Exit status: 0 trained, or nothing to do; 1 the run failed; 2 usage;\n"
        "69 the database cannot be reached.\n");
}

enum {
    OPTION_RUN = 256,
    OPTION_HELP_RUN,
    OPTION_NAME,
    OPTION_DSN,
    OPTION_READ_DSN,
    OPTION_THREADS,
    OPTION_SPILL_ABOVE,
    OPTION_STATE_DIR,
    OPTION_NICE,
    OPTION_DIE,
    OPTION_IMPORT,
    OPTION_PROJECT,
    OPTION_DEPLOY
};

static const struct option long_options[] = {
    {"run", required_argument, NULL, OPTION_RUN},
    {"help-run", required_argument, NULL, OPTION_HELP_RUN},
    {"name", required_argument, NULL, OPTION_NAME},
    {"dsn", required_argument, NULL, OPTION_DSN},
    {"read-dsn", required_argument, NULL, OPTION_READ_DSN},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"spill-above", required_argument, NULL, OPTION_SPILL_ABOVE},
    {"state-dir", required_argument, NULL, OPTION_STATE_DIR},
    {"nice", required_argument, NULL, OPTION_NICE},
    {"die-with-parent", optional_argument, NULL, OPTION_DIE},
    {"import", required_argument, NULL, OPTION_IMPORT},
    {"project", required_argument, NULL, OPTION_PROJECT},
    {"deploy", no_argument, NULL, OPTION_DEPLOY},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

struct settings {
    struct train_options train;
    struct import_request import;        /* file NULL: train */
    const char *spill_above, *state_dir; /* NULL: not given */
    int64_t priority;
    bool die_with_parent;
    int64_t parent; /* 0: not given */
};

static bool parse_integer(const char *text, int64_t low, int64_t high, int64_t *ret_value)
{
    char *end;
    long long value = strtoll(text, &end, 10);

    if (end == text || *end != '\0' || value < low || value > high)
        return false;
    *ret_value = value;
    return true;
}

/* What the options say together; the exit status, or -1. */
static int check_arguments(int argc, char **argv, const struct settings *settings)
{
    if (optind < argc) {
        fprintf(stderr, "pgboost-worker: unexpected argument \"%s\"\n", argv[optind]);
        return err_exit_status(ERR_USAGE);
    }
    if ((settings->import.file == NULL) != (settings->import.project == NULL)) {
        fprintf(stderr, "pgboost-worker: --import and --project belong together\n");
        return err_exit_status(ERR_USAGE);
    }
    return -1;
}

/* The exit status when the program is to end, -1 to go on. */
static int parse_arguments(int argc, char **argv, struct settings *settings)
{
    int64_t threads = 0;
    int option;

    while ((option = getopt_long(argc, argv, "hV", long_options, NULL)) != -1) {
        bool valid = true;

        switch (option) {
        case OPTION_RUN:
            valid = parse_integer(optarg, 1, INT64_MAX, &settings->train.run_id);
            break;
        case OPTION_HELP_RUN:
            settings->train.helps_only = true;
            valid = parse_integer(optarg, 1, INT64_MAX, &settings->train.run_id);
            break;
        case OPTION_NAME:
            settings->train.worker = optarg;
            break;
        case OPTION_DSN:
            settings->train.dsn = optarg;
            break;
        case OPTION_READ_DSN:
            settings->train.read_dsn = optarg;
            break;
        case OPTION_THREADS:
            valid = parse_integer(optarg, 1, 1024, &threads);
            settings->train.threads = (int)threads;
            break;
        case OPTION_SPILL_ABOVE:
            settings->spill_above = optarg;
            break;
        case OPTION_STATE_DIR:
            settings->state_dir = optarg;
            break;
        case OPTION_NICE:
            valid = parse_integer(optarg, 0, 19, &settings->priority);
            break;
        case OPTION_DIE:
            settings->die_with_parent = true;
            valid = optarg == NULL || parse_integer(optarg, 1, INT32_MAX, &settings->parent);
            break;
        case OPTION_IMPORT:
            settings->import.file = optarg;
            break;
        case OPTION_PROJECT:
            settings->import.project = optarg;
            break;
        case OPTION_DEPLOY:
            settings->import.deploy = true;
            break;
        case 'h':
            print_help();
            return 0;
        case 'V':
            printf("pgboost-worker %s (XGBoost %s)\n", PGBOOST_VERSION, xgb_version());
            return 0;
        default:
            return err_exit_status(ERR_USAGE); /* getopt said what */
        }
        if (!valid) {
            fprintf(stderr, "pgboost-worker: \"%s\" is not a value of %s\n", optarg,
                    argv[optind - 1]);
            return err_exit_status(ERR_USAGE);
        }
    }
    return check_arguments(argc, argv, settings);
}

static int default_threads(void)
{
    const char *text = getenv("OMP_NUM_THREADS");
    int64_t threads;

    if (text != NULL && parse_integer(text, 1, 1024, &threads))
        return (int)threads;
    threads = sysconf(_SC_NPROCESSORS_ONLN);
    return threads > 0 ? (int)threads : 1;
}

static void set_defaults(struct settings *settings, char *name, size_t name_size)
{
    struct train_options *train = &settings->train;
    char host[64] = "localhost";

    gethostname(host, sizeof(host) - 1);
    snprintf(name, name_size, "%s:%d", host, (int)getpid());
    if (train->worker == NULL)
        train->worker = name;
    if (train->dsn == NULL)
        train->dsn = getenv("PGBOOST_DSN");
    if (train->read_dsn == NULL)
        train->read_dsn = getenv("PGBOOST_READ_DSN");
    if (train->read_dsn == NULL || train->read_dsn[0] == '\0')
        train->read_dsn = train->dsn;
    if (train->threads == 0)
        train->threads = default_threads();
}

static enum err_code train(const struct settings *settings)
{
    struct err err = {0};
    bool claimed = false;
    enum err_code code = train_next(&settings->train, &claimed, &err);

    if (code != ERR_OK)
        log_err(LOG_ERROR, claimed ? "run failed" : "no run was claimed", &err);
    else if (!claimed)
        log_info("nothing to do", "");
    return code;
}

/* {"model_id":42} or {"error":{"code","message","hint"}}, for whoever started this worker. */
static enum err_code import(const struct settings *settings)
{
    CLEANUP(buf_release) struct buf json = {0};
    struct err err = {0};
    int64_t model_id = 0;
    enum err_code code = train_import(&settings->train, &settings->import, &model_id, &err);

    if (code == ERR_OK) {
        buf_printf(&json, "{\"model_id\":%lld}\n", (long long)model_id);
    } else {
        buf_puts(&json, "{\"error\":{\"code\":");
        json_put_text(&json, err_name(code));
        buf_puts(&json, ",\"message\":");
        json_put_text(&json, err.message);
        buf_puts(&json, ",\"hint\":");
        json_put_text(&json, err.hint);
        buf_puts(&json, "}}\n");
    }
    fputs(buf_text(&json), stdout);
    return code;
}

/* A process that others may stand between: a script that starts the worker. */
static bool is_gone(pid_t parent)
{
    pid_t own = getppid();

    return own != parent && (own == 1 || (kill(parent, 0) != 0 && errno == ESRCH));
}

int main(int argc, char **argv)
{
    struct settings settings = {.priority = 10};
    struct err err = {0};
    char name[96];
    int status;

    process_begin();
    status = parse_arguments(argc, argv, &settings);
    if (status >= 0)
        return status;
    log_set_by_names(getenv("PGBOOST_LOG_FORMAT"), getenv("PGBOOST_LOG_LEVEL"));
    set_defaults(&settings, name, sizeof(name));
    if (options_spill(settings.spill_above, settings.state_dir, &settings.train.spill, &err) !=
        ERR_OK) {
        log_err(LOG_ERROR, "a setting cannot be used", &err);
        return err_exit_status(err.code);
    }
    if (settings.die_with_parent)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (settings.parent != 0 && is_gone((pid_t)settings.parent)) {
        log_info("nothing to do: who started this worker has ended", "");
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error of write */
    if (settings.priority > 0 && !scheduling_be_patient((int)settings.priority) &&
        nice((int)settings.priority) == -1)
        log_warning("the priority stays as it is", "");
    return err_exit_status(settings.import.file != NULL ? import(&settings) : train(&settings));
}
