/*
 * pgboost-worker: claims a queued run and trains it, then exits.
 *
 * A process of its own because training may crash, run out of memory or be killed, and serving must
 * not notice. pgboostd and `pgboost train --here` start it; an operator can start it by hand.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "train/run.h"
#include "xgb/booster.h"

static void print_help(void)
{
    printf("pgboost-worker claims a queued training run and trains it.\n\n"
           "Usage: pgboost-worker [OPTION]…\n\n"
           "  --run ID            this run; without it, the oldest that is queued\n"
           "  --name NAME         how the catalog calls this worker (default: HOST:PID)\n"
           "  --dsn DSN           catalog: reads and writes (default: PGBOOST_DSN, then PG*)\n"
           "  --read-dsn DSN      where relations are read (default: PGBOOST_READ_DSN, then dsn)\n"
           "  --threads N         threads of XGBoost (default: OMP_NUM_THREADS, then the cores)\n"
           "  --nice N            priority, 0 to 19 (default: 10)\n"
           "  --die-with-parent   end when the process that started this one ends\n"
           "  --version, --help\n\n"
           "Prefer PGBOOST_DSN or a service file over --dsn: the command line is public.\n"
           "Exit status: 0 trained, or nothing to do; 1 the run failed; 2 usage;\n"
           "69 the database cannot be reached.\n");
}

enum {
    OPTION_RUN = 256,
    OPTION_NAME,
    OPTION_DSN,
    OPTION_READ_DSN,
    OPTION_THREADS,
    OPTION_NICE,
    OPTION_DIE
};

static const struct option long_options[] = {
    {"run", required_argument, NULL, OPTION_RUN},
    {"name", required_argument, NULL, OPTION_NAME},
    {"dsn", required_argument, NULL, OPTION_DSN},
    {"read-dsn", required_argument, NULL, OPTION_READ_DSN},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"nice", required_argument, NULL, OPTION_NICE},
    {"die-with-parent", no_argument, NULL, OPTION_DIE},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {0},
};

struct settings {
    struct train_options train;
    int64_t priority;
    bool die_with_parent;
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
        case OPTION_NICE:
            valid = parse_integer(optarg, 0, 19, &settings->priority);
            break;
        case OPTION_DIE:
            settings->die_with_parent = true;
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
    if (optind < argc) {
        fprintf(stderr, "pgboost-worker: unexpected argument \"%s\"\n", argv[optind]);
        return err_exit_status(ERR_USAGE);
    }
    return -1;
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

int main(int argc, char **argv)
{
    struct settings settings = {.priority = 10};
    char name[96];
    struct err err = {0};
    bool claimed = false;
    int status = parse_arguments(argc, argv, &settings);
    enum err_code code;

    if (status >= 0)
        return status;
    set_defaults(&settings, name, sizeof(name));
    if (settings.die_with_parent)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    if (settings.priority > 0 && nice((int)settings.priority) == -1)
        log_warning("the priority stays as it is", "");
    code = train_next(&settings.train, &claimed, &err);
    if (code != ERR_OK)
        log_err(LOG_ERROR, claimed ? "run failed" : "no run was claimed", &err);
    else if (!claimed)
        log_info("nothing to do", "");
    return err_exit_status(code);
}
