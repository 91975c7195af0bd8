/* "search.params" of a definition, member by member. Private to lib/search. */
#ifndef PGBOOST_SEARCH_SPACE_PARAMS_H
#define PGBOOST_SEARCH_SPACE_PARAMS_H

#include "search/space.h"

/* The dimension that a member ("max_depth": [3, 6] or {"low": 3, "high": 10}) describes; choices go
 * to the arena. A range of one number becomes a list of it. ERR_CONFIG with the field
 * "/search/params/NAME…" when it cannot be searched. */
MUST_CHECK enum err_code space_read_member(const cJSON *member, struct arena *arena,
                                           struct dimension *ret_dimension, struct err *err);

/* Sets err's field to that of a member; `part`, NULL for none, is of its value. */
enum err_code space_field(const char *name, const char *part, struct err *err);

#endif
