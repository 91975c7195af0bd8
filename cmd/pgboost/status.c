#include <stdio.h>
#include <string.h>

#include "ask_daemon.h"
#include "base/json.h"
#include "cli.h"

#define DEFAULT_ADDRESS "127.0.0.1:8080"

static void json_freep(cJSON **json)
{
    cJSON_Delete(*json);
}

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(member) ? member->valuestring : "";
}

static long number_of(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(member) ? (long)member->valuedouble : 0;
}

/* "3 d 4 h", "2 min 5 s": the two largest units. */
static void print_time(long seconds)
{
    if (seconds >= 86400)
        printf("%ld d %ld h", seconds / 86400, seconds % 86400 / 3600);
    else if (seconds >= 3600)
        printf("%ld h %ld min", seconds / 3600, seconds % 3600 / 60);
    else if (seconds >= 60)
        printf("%ld min %ld s", seconds / 60, seconds % 60);
    else
        printf("%ld s", seconds);
}

static bool is_well(const char *status)
{
    return strcmp(status, "ready") == 0 || strcmp(status, "no model is live yet") == 0;
}

static void print_status(const struct cli *cli, const char *address, const cJSON *ready)
{
    const cJSON *runs = cJSON_GetObjectItemCaseSensitive(ready, "runs"), *reason;
    const char *status = text_of(ready, "status");

    printf("pgboostd %s at %s: %s%s%s, up ", text_of(ready, "version"), address,
           cli_style(cli->colour, is_well(status) ? STYLE_GREEN : STYLE_YELLOW), status,
           cli_style(cli->colour, STYLE_PLAIN));
    print_time(number_of(ready, "uptime_s"));
    printf("\nprojects     %ld, %ld with a live model\n", number_of(ready, "projects"),
           number_of(ready, "models"));
    printf("runs         %ld running, %ld queued; %ld workers here\n", number_of(runs, "running"),
           number_of(runs, "queued"), number_of(ready, "workers"));
    printf("connections  %ld\n", number_of(ready, "connections"));
    cJSON_ArrayForEach (reason, cJSON_GetObjectItemCaseSensitive(ready, "reasons"))
        printf("%s: %s\n", text_of(reason, "about"), text_of(reason, "reason"));
}

static const char *address_of(const struct cli *cli)
{
    const char *given = cli_option(cli, "address"), *variable = getenv("PGBOOST_LISTEN");

    if (given != NULL)
        return given;
    return variable != NULL && variable[0] != '\0' ? variable : DEFAULT_ADDRESS;
}

static enum err_code run_status(struct cli *cli, struct err *err)
{
    CLEANUP(json_freep) cJSON *ready = NULL;
    CLEANUP(buf_release) struct buf body = {0};
    const char *address = address_of(cli);
    int http_status;

    TRY(ask_daemon(address, cli_option(cli, "ca"), "/readyz", &http_status, &body, err));
    TRY(json_parse(buf_text(&body), body.length, NULL, &ready, err));
    if (text_of(ready, "version")[0] == '\0') {
        err_set(err, ERR_FAILED, "the daemon at %s does not say how it is: %s", address,
                text_of(ready, "detail"));
        return ERR_FAILED;
    }
    if (cli->json)
        puts(buf_text(&body));
    else
        print_status(cli, address, ready);
    if (is_well(text_of(ready, "status")))
        return ERR_OK;
    return err_set(err, ERR_FAILED, "the daemon is %s", text_of(ready, "status"));
}

const struct command command_status = {
    .name = "status",
    .arguments = "[--address ADDRESS] [--ca FILE]",
    .summary = "ask a running daemon how it is",
    .description =
        "Asks a daemon over HTTP whether it can answer, what is degraded and why, and what it\n"
        "does; over TLS where the address begins with https://, or --ca is given. The exit\n"
        "status is 0 when all is well, 1 when something is degraded or it is stopping, 69 when\n"
        "nobody answers. Without --address it is PGBOOST_LISTEN, or else " DEFAULT_ADDRESS ".",
    .example = "pgboost status --address https://db.example.com:8443",
    .options = {{"address", "ADDRESS",
                 "[https://]HOST:PORT or a socket's path (default: PGBOOST_LISTEN)"},
                {"ca", "FILE", "trust these certificates (PEM): of an authority, or its own"}},
    .run = run_status,
};
