/* Which known word a mistyped one probably meant. */
#include "suggest.h"

/* Levenshtein's distance, for short words. */
static size_t distance(ww_str a, ww_str b)
{
    size_t row[33];

    if (a.len > 32 || b.len > 32)
        return 32;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = corner + (a.ptr[i - 1] != b.ptr[j - 1]);
            size_t best = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;

            corner = row[j];
            row[j] = change < best ? change : best;
        }
    }
    return row[b.len];
}

const char *closest(ww_str word, const char *(*next)(const void *ctx, size_t i),
                    const void *ctx)
{
    const char *best = NULL;
    size_t least = word.len / 3 + 1; /* further away it is another word */

    for (size_t i = 0;; i++) {
        const char *candidate = next(ctx, i);

        if (candidate == NULL)
            return best;

        size_t d = distance(word, ww_str_c(candidate));

        if (d <= least) {
            least = d == 0 ? 0 : d - 1; /* the first of several that are as near */
            best = candidate;
        }
    }
}
