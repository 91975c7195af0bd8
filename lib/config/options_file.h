/* The configuration file: INI, one section at most. Private to lib/config. */
#ifndef PGBOOST_CONFIG_OPTIONS_FILE_H
#define PGBOOST_CONFIG_OPTIONS_FILE_H

#include "config/options.h"

/* Sets what the file sets. ERR_CONFIG with file and line. */
MUST_CHECK enum err_code options_read_file(struct options *options, const char *path,
                                           struct err *err);

#endif
