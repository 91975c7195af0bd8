/*
 * What the daemon takes from and sets on the machine it runs on.
 */
#ifndef PGBOOSTD_HOST_H
#define PGBOOSTD_HOST_H

#include "base/err.h"

int host_n_cores(void); /* that this process may use */

/* Raises the soft limit of open files, as far as the hard one lets it: connections need them. */
void host_raise_file_limit(void);

/* Like mkdir -p, for this user only. */
MUST_CHECK enum err_code host_make_folder(const char *path, struct err *err);

#endif
