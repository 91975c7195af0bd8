#include "search/race.h"

#include <math.h>
#include <string.h>

/* Twice the rank of each |difference|: whole numbers with ties too. */
static void rank_twice(const double *differences, int n, int *ret_ranks)
{
    for (int i = 0; i < n; i++) {
        int n_below = 0, n_to = 0;

        for (int k = 0; k < n; k++) {
            n_below += fabs(differences[k]) < fabs(differences[i]);
            n_to += fabs(differences[k]) <= fabs(differences[i]);
        }
        ret_ranks[i] = n_below + 1 + n_to;
    }
}

double race_p_value(const double *trial_scores, const double *best_scores, int n_folds,
                    bool higher_is_better)
{
    double share[RACE_FOLDS_MAX * (RACE_FOLDS_MAX + 1) + 1] = {1}; /* of sums of the worse */
    double differences[RACE_FOLDS_MAX], p = 0;
    int ranks[RACE_FOLDS_MAX], n = n_folds < RACE_FOLDS_MAX ? n_folds : RACE_FOLDS_MAX;
    int worse = 0, top = 0;

    for (int i = 0; i < n; i++)
        differences[i] =
            higher_is_better ? best_scores[i] - trial_scores[i] : trial_scores[i] - best_scores[i];
    rank_twice(differences, n, ranks);
    for (int i = 0; i < n; i++) {
        if (differences[i] == 0)
            continue; /* half on either side, whatever the signs: the same on all sums */
        top += ranks[i];
        worse += differences[i] > 0 ? ranks[i] : 0;
        for (int sum = top; sum >= 0; sum--)
            share[sum] = (share[sum] + (sum >= ranks[i] ? share[sum - ranks[i]] : 0)) / 2;
    }
    for (int sum = worse; sum <= top; sum++)
        p += share[sum];
    return p;
}

bool race_allows(const double *trial_scores, const double *best_scores, int n_folds,
                 bool higher_is_better)
{
    return n_folds < RACE_FOLDS_MIN ||
           !(race_p_value(trial_scores, best_scores, n_folds, higher_is_better) < RACE_P);
}
