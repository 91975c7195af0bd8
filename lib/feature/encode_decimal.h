/*
 * The one cast to float32 and, inline for those who decode many rows, from a decimal to a feature
 * in one step: what encode_cell gives of the decimal's cell.
 */
#ifndef PGBOOST_FEATURE_ENCODE_DECIMAL_H
#define PGBOOST_FEATURE_ENCODE_DECIMAL_H

#include <float.h>

#include "feature/encoder.h"

static inline double clamped(double value)
{
    return value > (double)FLT_MAX    ? (double)FLT_MAX
           : value < -(double)FLT_MAX ? -(double)FLT_MAX
                                      : value;
}

/* Clamped, and -0 as +0, also where a small double became one. */
static inline float to_feature(double value)
{
    float feature = (float)clamped(value);

    return feature == 0 ? 0.0F : feature;
}

/* False, and nothing is written: the column's values are not numbers that count as they are, or the
 * quick way is not sure of this one. encode_cell then. */
static inline bool encode_decimal(const struct encoder_column *column, const struct number *number,
                                  float *features)
{
    struct cell cell;

    if (column->encoding != ENCODE_NUMBER || column->is_scaled ||
        !cell_from_decimal(column->type, number, &cell))
        return false;
    features[column->first_feature] = to_feature(cell_as_number(&cell));
    return true;
}

#endif
