/*
 * Free text. For lib/feature only.
 */
#ifndef PGBOOST_FEATURE_ENCODE_TEXT_H
#define PGBOOST_FEATURE_ENCODE_TEXT_H

#include "feature/tally.h"

/* Are these the values of free text, where categories would tell little? kept[n_kept]: what would
 * be categories. */
bool is_free_text(const struct tally *tally, const struct candidate *kept, size_t n_kept);

#endif
