#include "train/champion.h"

#include <math.h>

#include "base/log.h"
#include "train/contest.h"
#include "train/read.h"

enum err_code champion_choose(struct control *control, const struct train_options *options,
                              struct err *err)
{
    const struct lease *lease = control_lease(control);
    const struct pg_options reader_options = {
        .dsn = options->read_dsn,
        .application_name = "pgboost-worker (read)",
        .statement_timeout_ms = READ_SILENCE_MS,
        .read_only = true,
    };
    CLEANUP(pg_closep) struct pg *reader = NULL;
    struct contest_result result;
    struct pg *pg;
    enum err_code code;

    control_progress(control, "contest", 0, 0, NAN, 0);
    TRY(pg_connect(&reader_options, &reader, err));
    TRY(control_pg(control, &pg, err));
    control_set_reader(control, reader);
    code = contest_run(pg, reader, lease->project, &options->spill, &result, err);
    control_set_reader(control, NULL);
    TRY(code);
    TRY(control_check(control, err));
    TRY(control_pg(control, &pg, err));
    control_set_ending(control, true);
    code = catalog_finish_contest(pg, lease, result.model_id, result.reason, err);
    control_set_ending(control, code == ERR_OK);
    TRY(code);
    log_info("contest ended", "run=%lld model=%lld", (long long)lease->run_id,
             (long long)result.model_id);
    return ERR_OK;
}
