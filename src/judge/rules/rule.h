/* judge: a rule: one guarantee, one file, one row in rules.c. */
#ifndef WW_JUDGE_RULE_H
#define WW_JUDGE_RULE_H

#include "../finding.h"

struct rule {
    enum ww_guarantee guarantee;
    const char *help;
    void (*check)(struct model *m); /* hands in claims */
};

extern const struct rule ww_rule_session_reset;
extern const struct rule ww_rule_read_your_writes;
extern const struct rule ww_rule_came_back;
extern const struct rule ww_rule_status_flip;
extern const struct rule ww_rule_handles;
extern const struct rule ww_rule_monotonic_reads;
extern const struct rule ww_rule_tally;
extern const struct rule ww_rule_elsewhere;

/* In the order in which they run: a later rule leaves alone what an earlier one has explained.
 */
extern const struct rule *const ww_rules[];
extern const size_t ww_rules_count;

/* Whether steps a and b (a before b, one session) have only the one worker between and on them,
 * or different ones. NEITHER: crossed and came back, unknown, or something overlapped. */
enum ww_crossing { CROSS_SAME, CROSS_CHANGED, CROSS_NEITHER };

/* For one session at a time: where each position's run of one worker began, and how many of the
 * changes before it overlapped another. Owned; reused. */
struct crossings {
    uint32_t *run;
    uint32_t *overlaps;
    size_t cap;
};

void ww_crossings_of(struct crossings *c, const struct model *m,
                     const struct ww_verdict_session *s);
void ww_crossings_release(struct crossings *c);
enum ww_crossing ww_crossing(const struct crossings *c, const struct model *m, size_t a,
                             size_t b);

/* One-sided Fisher: how probable so lopsided a table is by chance. */
double ww_table_odds(const struct ww_table *t);

/* The list in which the later read shows the value has other elements than it had in the
 * earlier one of the same worker, and nothing was changed between: it is a choice of many. */
bool ww_is_choice(const struct model *m, uint32_t value, size_t before, size_t now);

#endif
