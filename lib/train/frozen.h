/*
 * The rows of a run as it has read them, kept until it ends: a run that goes on after a crash, and
 * workers that help with it, see the same rows, whatever became of the relation.
 *
 * What is kept is COPY's stream, byte for byte, so that rows that are read again go the way of
 * those that were read. In a file of the state folder; in pieces of pgboost.run_rows as well where
 * other hosts are to have them. A key names them: random, in the run's row, so that folders may be
 * shared by several catalogs.
 *
 * In the way of the data: relation → frozen (this) → frame. Refuses: knowing what the bytes mean.
 */
#ifndef PGBOOST_TRAIN_FROZEN_H
#define PGBOOST_TRAIN_FROZEN_H

#include "train/control.h"

struct frozen;
void frozen_free(struct frozen *frozen); /* a file that is not complete goes with it */
DEFINE_FREEP(struct frozen *, frozen_free)

/* Room for rows that are going to be read. columns says of what columns they are. Rows that cannot
 * be kept, for want of a folder or of room, are not: the log says so, and nothing fails. */
MUST_CHECK enum err_code frozen_new(const char *folder, const char *columns,
                                    struct frozen **ret_frozen, struct err *err);

/* The rows that the run has kept, from the folder or else from the catalog; *ret_frozen NULL: there
 * are none, or of other columns. */
MUST_CHECK enum err_code frozen_open(const char *folder, struct control *control,
                                     const char *columns, struct frozen **ret_frozen,
                                     struct err *err);

const char *frozen_key(const struct frozen *frozen);
#define FROZEN_KEY_SIZE 33 /* with the NUL */

/* For frame_read: keeps, or has the rows. Lives as long as frozen. */
const struct pg_copy_tape *frozen_tape(struct frozen *frozen);

/* After the last row of frozen_new: writes into the run's row where the rows are, and with in_table
 * copies them into the catalog, which must not fail. */
MUST_CHECK enum err_code frozen_publish(struct frozen *frozen, struct control *control,
                                        bool in_table, struct err *err);

/* The run is over: nobody asks for its rows any more. Also removes files that nobody has asked for
 * in a week: of runs that ended elsewhere, or never. */
void frozen_remove(const char *folder, const char *key);

#endif
