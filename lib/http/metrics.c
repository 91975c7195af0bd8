#include "http/metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "http/routes.h"
#include "http/server.h"

/* Words --------------------------------------------------------------------------------------- */

void metrics_put_label(struct buf *text, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            buf_puts(text, "\\n");
        else if (*value == '"' || *value == '\\')
            buf_printf(text, "\\%c", *value);
        else
            buf_putc(text, *value);
    }
}

static void put_family(struct buf *text, const char *name, const char *type, const char *help)
{
    buf_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_value(struct buf *text, const char *name, const char *type, const char *help,
                      double value)
{
    put_family(text, name, type, help);
    buf_printf(text, "%s %.15g\n", name, value);
}

bool metrics_parse_time(const char *text, double *ret_seconds)
{
    struct tm tm = {0};
    char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    double fraction;

    if (end == NULL)
        return false;
    fraction = *end == '.' ? strtod(end, &end) : 0;
    if (strcmp(end, "Z") != 0)
        return false;
    *ret_seconds = (double)timegm(&tm) + fraction;
    return true;
}

/* Names of projects --------------------------------------------------------------------------- */

struct project_name {
    int64_t id;
    const char *name;
};

struct names {
    int n;
    struct project_name *items; /* by id; the texts are the view's */
};

static int compare_names(const void *left, const void *right)
{
    const struct project_name *a = left, *b = right;

    return (a->id > b->id) - (a->id < b->id);
}

static void names_release(struct names *names)
{
    free(names->items);
}

static enum err_code names_init(struct names *names, const struct registry_view *view,
                                struct err *err)
{
    names->n = registry_n_projects(view);
    names->items = calloc((size_t)names->n + 1, sizeof(*names->items));
    if (names->items == NULL)
        return err_nomem(err);
    for (int i = 0; i < names->n; i++)
        names->items[i] =
            (struct project_name){registry_at(view, i)->id, registry_at(view, i)->name};
    qsort(names->items, (size_t)names->n, sizeof(*names->items), compare_names);
    return ERR_OK;
}

/* "" for none, NULL for a project that is gone. */
static const char *name_of(const struct names *names, int64_t project_id)
{
    struct project_name key = {.id = project_id}, *found;

    if (project_id == 0)
        return "";
    found = bsearch(&key, names->items, (size_t)names->n, sizeof(*names->items), compare_names);
    return found != NULL ? found->name : NULL;
}

/* Requests ------------------------------------------------------------------------------------ */

/* Why a request was turned away, by its status. */
static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {400, "malformed"},      {401, "unauthenticated"},
    {403, "forbidden"},      {404, "not_found"},
    {405, "method"},         {406, "not_acceptable"},
    {408, "timeout"},        {409, "no_model"},
    {413, "too_large"},      {415, "content_type"},
    {421, "host"},           {422, "unprocessable"},
    {429, "too_many"},       {431, "head_too_large"},
    {500, "internal_error"}, {501, "not_implemented"},
    {503, "unavailable"},    {504, "timeout_behind"},
    {505, "http_version"},
};

static void put_labels(struct buf *text, const struct stats_series *series, const char *project)
{
    buf_puts(text, "path=\"");
    metrics_put_label(text, series->route != NULL ? route_path(series->route) : "");
    buf_puts(text, "\",method=\"");
    metrics_put_label(text, series->route != NULL ? route_method(series->route) : "");
    buf_puts(text, "\",project=\"");
    metrics_put_label(text, project);
    buf_putc(text, '"');
}

static void put_requests(struct buf *text, const struct stats_series *series, const char *project)
{
    for (size_t i = 0; i <= STATS_STATUSES; i++) {
        if (series->n_by_status[i] == 0)
            continue;
        buf_puts(text, "pgboost_http_requests_total{");
        put_labels(text, series, project);
        if (i < STATS_STATUSES)
            buf_printf(text, ",status=\"%d\"", stats_statuses[i]);
        else
            buf_puts(text, ",status=\"other\"");
        buf_printf(text, "} %" PRIu64 "\n", series->n_by_status[i]);
    }
}

#define LATENCY "pgboost_http_request_duration_seconds"

static void put_latency(struct buf *text, const struct stats_series *series, const char *project)
{
    uint64_t n = 0;

    for (size_t i = 0; i <= STATS_BUCKETS; i++) {
        n += series->n_by_bucket[i];
        buf_puts(text, LATENCY "_bucket{");
        put_labels(text, series, project);
        if (i < STATS_BUCKETS)
            buf_printf(text, ",le=\"%.15g\"} %" PRIu64 "\n", (double)stats_bounds_us[i] / 1e6, n);
        else
            buf_printf(text, ",le=\"+Inf\"} %" PRIu64 "\n", n);
    }
    buf_puts(text, LATENCY "_sum{");
    put_labels(text, series, project);
    buf_printf(text, "} %.15g\n", (double)series->sum_us / 1e6);
    buf_puts(text, LATENCY "_count{");
    put_labels(text, series, project);
    buf_printf(text, "} %" PRIu64 "\n", n);
}

static void put_each(struct buf *text, const struct stats_series_list *list,
                     const struct names *names,
                     void (*put)(struct buf *text, const struct stats_series *series,
                                 const char *project))
{
    for (size_t i = 0; i < list->n; i++) {
        const char *project = name_of(names, list->items[i].project_id);

        if (project != NULL)
            put(text, &list->items[i], project);
    }
}

/* Who came too slowly was told so by the thread that cuts connections, and is no request's. */
static void put_rejected(struct buf *text, const struct stats_series_list *list,
                         uint64_t n_timeouts)
{
    for (size_t r = 0; r < N_ELEMENTS(reasons); r++) {
        uint64_t n = reasons[r].status == MHD_HTTP_REQUEST_TIMEOUT ? n_timeouts : 0;

        for (size_t s = 0; s < STATS_STATUSES; s++)
            for (size_t i = 0; stats_statuses[s] == reasons[r].status && i < list->n; i++)
                n += list->items[i].n_by_status[s];
        buf_printf(text, "pgboost_http_rejected_total{reason=\"%s\"} %" PRIu64 "\n",
                   reasons[r].reason, n);
    }
}

static const char *const phases[CONNECTION_CUT] = {
    [CONNECTION_NEW] = "new",   [CONNECTION_IDLE] = "idle", [CONNECTION_HEAD] = "head",
    [CONNECTION_BODY] = "body", [CONNECTION_WORK] = NULL,   [CONNECTION_REPLY] = "reply",
};

static void put_cut(struct buf *text, const struct connections *connections)
{
    put_family(
        text, "pgboost_http_connections_cut_total", "counter",
        "Connections that were ended for being slow, idle or too many, by what they were at.");
    for (size_t i = 0; i < N_ELEMENTS(phases); i++)
        if (phases[i] != NULL)
            buf_printf(text, "pgboost_http_connections_cut_total{phase=\"%s\"} %" PRIu64 "\n",
                       phases[i], connections_n_cut(connections, (enum connection_phase)i));
}

static enum err_code put_traffic(struct buf *text, struct http_service *service,
                                 const struct names *names, struct err *err)
{
    CLEANUP(stats_series_list_release) struct stats_series_list list = {0};

    TRY(stats_collect(service->stats, &list, err));
    put_family(text, "pgboost_http_requests_total", "counter",
               "Requests that were answered, by route, project and status.");
    put_each(text, &list, names, put_requests);
    put_family(text, LATENCY, "histogram", "Time from a request's head to its answer.");
    put_each(text, &list, names, put_latency);
    put_family(text, "pgboost_http_rejected_total", "counter",
               "Requests that were not served, by reason.");
    put_rejected(text, &list, connections_n_timeouts(service->connections));
    put_cut(text, service->connections);
    put_value(text, "pgboost_http_connections", "gauge", "Connections that are open.",
              atomic_load(&service->n_connections));
    put_value(text, "pgboost_http_requests_in_flight", "gauge", "Requests that are under way.",
              atomic_load(&service->n_requests));
    put_value(text, "pgboost_http_large_bodies_bytes", "gauge",
              "Memory that large bodies hold at present.",
              (double)atomic_load(&service->n_held_bytes));
    return ERR_OK;
}

/* Look-ups ------------------------------------------------------------------------------------ */

static const char *const lookup_results[LOOKUP_RESULTS] = {
    [LOOKUP_FOUND] = "found",
    [LOOKUP_KEPT] = "kept",
    [LOOKUP_NO_ROW] = "no_row",
    [LOOKUP_BAD] = "bad_request",
    [LOOKUP_QUEUE_FULL] = "queue_full",
    [LOOKUP_STOPPED] = "stopping",
    [LOOKUP_OVERDUE] = "overdue",
    [LOOKUP_TIMED_OUT] = "timed_out",
    [LOOKUP_UNREACHABLE] = "unreachable",
    [LOOKUP_FAILED] = "failed",
};

#define LOOKUPS "pgboost_lookup_duration_seconds"

static void put_lookup_latency(struct buf *text, const struct lookup_counts *counts)
{
    uint64_t n = 0;

    put_family(text, LOOKUPS, "histogram",
               "Time from a look-up's request to its rows, of those that waited for Postgres.");
    for (size_t i = 0; i < LOOKUP_BUCKETS; i++) {
        n += counts->n_by_bucket[i];
        buf_printf(text, LOOKUPS "_bucket{le=\"%.15g\"} %" PRIu64 "\n",
                   (double)lookup_bounds_us[i] / 1e6, n);
    }
    n += counts->n_by_bucket[LOOKUP_BUCKETS];
    buf_printf(text,
               LOOKUPS "_bucket{le=\"+Inf\"} %" PRIu64 "\n" LOOKUPS "_sum %.15g\n" LOOKUPS
                       "_count %" PRIu64 "\n",
               n, (double)counts->sum_us / 1e6, n);
}

static void put_lookups(struct buf *text, struct lookup *lookup)
{
    struct lookup_counts counts;

    lookup_count(lookup, &counts);
    put_family(text, "pgboost_lookups_total", "counter",
               "Requests for rows by key, each once, by what became of them.");
    for (size_t i = 0; i < LOOKUP_RESULTS; i++)
        buf_printf(text, "pgboost_lookups_total{result=\"%s\"} %" PRIu64 "\n", lookup_results[i],
                   counts.n_by_result[i]);
    put_lookup_latency(text, &counts);
    put_value(text, "pgboost_lookup_batches_total", "counter",
              "Look-ups that were read from Postgres, those that went together as one.",
              (double)counts.n_batches);
    put_value(text, "pgboost_lookup_retries_total", "counter",
              "Batches that were read once more, after a broken connection or a changed relation.",
              (double)counts.n_retries);
    put_value(text, "pgboost_lookup_connections", "gauge",
              "Connections for look-ups that are open.", counts.n_connections);
    put_value(text, "pgboost_lookup_connections_busy", "gauge",
              "Connections for look-ups that are at work, or being opened.", counts.n_busy);
    put_value(text, "pgboost_lookup_waiting", "gauge", "Look-ups that wait for a connection.",
              counts.n_waiting);
    put_value(text, "pgboost_lookup_cache_hits_total", "counter",
              "Rows by key that were answered from memory.", (double)counts.cache.n_hits);
    put_value(text, "pgboost_lookup_cache_misses_total", "counter",
              "Rows by key of projects with cache_seconds that were read.",
              (double)counts.cache.n_misses);
    put_value(text, "pgboost_lookup_cache_rows", "gauge", "Rows that are kept.",
              (double)counts.cache.n_rows);
    put_value(text, "pgboost_lookup_cache_bytes", "gauge", "Memory that they take.",
              (double)counts.cache.n_bytes);
}

/* Models -------------------------------------------------------------------------------------- */

static void put_project(struct buf *text, const char *name, const char *project)
{
    buf_printf(text, "%s{project=\"", name);
    metrics_put_label(text, project);
    buf_puts(text, "\"} ");
}

static double deployed_at(const struct registry_project *project)
{
    double seconds;

    return project->model != NULL && project->deployed_at != NULL &&
                   metrics_parse_time(project->deployed_at, &seconds)
               ? seconds
               : NAN;
}

static double has_problem(const struct registry_project *project)
{
    return project->problem != NULL;
}

/* Families with a sample a project; NAN: there is none. */
static const struct {
    const char *name, *help;
    double (*value)(const struct registry_project *project);
} project_families[] = {
    {"pgboost_model_deployed_timestamp_seconds", "When the live model was deployed.", deployed_at},
    {"pgboost_project_problem", "1 where the model that is wanted live cannot be used.",
     has_problem},
};

static void put_models(struct buf *text, const struct registry_view *view)
{
    put_family(text, "pgboost_model_live", "gauge", "1 for each live model, by its id.");
    for (int i = 0; i < registry_n_projects(view); i++) {
        const struct registry_project *project = registry_at(view, i);

        if (project->model == NULL)
            continue;
        buf_puts(text, "pgboost_model_live{project=\"");
        metrics_put_label(text, project->name);
        buf_puts(text, "\",algorithm=\"");
        metrics_put_label(text, project->model->algorithm);
        buf_printf(text, "\",model=\"%" PRId64 "\"} 1\n", project->model->id);
    }
}

static void put_projects(struct buf *text, const struct registry_view *view)
{
    for (size_t f = 0; f < N_ELEMENTS(project_families); f++) {
        put_family(text, project_families[f].name, "gauge", project_families[f].help);
        for (int i = 0; i < registry_n_projects(view); i++) {
            double value = project_families[f].value(registry_at(view, i));

            if (isnan(value))
                continue;
            put_project(text, project_families[f].name, registry_at(view, i)->name);
            buf_printf(text, "%.15g\n", value);
        }
    }
}

/* The daemon and its process ------------------------------------------------------------------ */

static const struct {
    const char *name, *type, *help;
} gauges[HTTP_GAUGES] = {
    [HTTP_RUNS_QUEUED] = {"pgboost_runs_queued", "gauge", "Runs that wait for a worker."},
    [HTTP_RUNS_RUNNING] = {"pgboost_runs_running", "gauge", "Runs under way, on any machine."},
    [HTTP_QUEUE_AGE_S] = {"pgboost_runs_queue_age_seconds", "gauge",
                          "How long the oldest queued run has waited."},
    [HTTP_WORKERS] = {"pgboost_workers_running", "gauge", "Workers of this daemon."},
    [HTTP_WORKERS_STARTED] = {"pgboost_workers_started_total", "counter",
                              "Workers that this daemon has started."},
    [HTTP_WORKERS_DIED] = {"pgboost_workers_died_total", "counter",
                           "Workers of this daemon that ended badly."},
    [HTTP_CATALOG_UP] = {"pgboost_catalog_up", "gauge", "1 while the catalog can be read."},
    [HTTP_RELOADS] = {"pgboost_config_reloads_total", "counter",
                      "Reloads of the configuration that were good."},
    [HTTP_RELOADS_REFUSED] = {"pgboost_config_reloads_refused_total", "counter",
                              "Reloads that left the old configuration in place."},
    [HTTP_STARTED_S] = {"process_start_time_seconds", "gauge",
                        "When the process started, since 1970."},
    [HTTP_TLS_UNTIL_S] = {"pgboost_tls_certificate_expiry_seconds", "gauge",
                          "When the TLS certificate expires, since 1970; 0 without TLS."},
};

static void put_gauges(struct buf *text, struct http_service *service)
{
    for (size_t i = 0; i < HTTP_GAUGES; i++)
        put_value(text, gauges[i].name, gauges[i].type, gauges[i].help,
                  (double)atomic_load(&service->gauges[i]));
}

static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = -3; /* ".", ".." and the folder itself */

    if (dir == NULL)
        return 0;
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static void put_process(struct buf *text)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    put_family(text, "pgboost_build_info", "gauge", "1, with the version that runs.");
    buf_puts(text, "pgboost_build_info{version=\"" PGBOOST_VERSION "\",compiler=\"");
    metrics_put_label(text, __VERSION__);
    buf_puts(text, "\"} 1\n");
    put_value(text, "process_cpu_seconds_total", "counter", "User and system time of the process.",
              (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                  (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    put_value(text, "process_resident_memory_bytes", "gauge", "Memory of the process.",
              resident_bytes());
    put_value(text, "process_open_fds", "gauge", "Open files and connections of the process.",
              open_files());
}

static enum err_code put_view(struct buf *text, struct http_service *service,
                              const struct registry_view *view, struct err *err)
{
    CLEANUP(names_release) struct names names = {0};

    TRY(names_init(&names, view, err));
    TRY(put_traffic(text, service, &names, err));
    if (service->lookup != NULL)
        put_lookups(text, service->lookup);
    put_models(text, view);
    put_projects(text, view);
    return ERR_OK;
}

enum err_code handle_metrics(struct exchange *exchange, struct err *err)
{
    struct http_service *service = exchange->service;
    struct buf *text = &exchange->reply.body;
    enum err_code code = put_view(text, service, registry_read_lock(service->registry), err);

    registry_read_unlock();
    TRY(code);
    put_gauges(text, service);
    put_process(text);
    exchange->reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return buf_check(text, err);
}
