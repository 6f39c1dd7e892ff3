/* judge: the user's rules: what is not compared, not judged, probed, allowed, graded otherwise.
 */
#ifndef WHICHWORKER_RULEBOOK_H
#define WHICHWORKER_RULEBOOK_H

#include <whichworker/err.h>

enum ww_user_rule_kind {
    WW_RULE_IGNORE, /* pointer, member or pattern: it is taken out of answers before they are
                       read */
    WW_RULE_SKIP,   /* the route's exchanges prove nothing; what they change still explains */
    WW_RULE_PROBE,  /* name, and pointer or pattern: this alone is compared of the route's
                       answers */
    WW_RULE_ALLOW,  /* findings on the route are shown and do not fail */
    WW_RULE_GRADE,  /* cap or fail-on, or both */
    WW_RULE_KINDS
};

/* What a rule has no use for is absent or 0. Slices are borrowed while a judge lives that was
 * given the rule. */
struct ww_user_rule {
    enum ww_user_rule_kind kind;
    /* "GET /cars/{id}", "/static/" and two stars; absent: every route. `*` and {name} stand for
     * one segment, two stars for any; without a method every method is meant. */
    ww_str route;
    ww_str pointer; /* RFC 6901, and `*` for any member or element */
    ww_str member;  /* a member's name, at any depth */
    ww_str
        pattern;   /* PCRE2. Of ignore: each match goes; of a probe: the first capture counts */
    ww_str name;   /* of a probe */
    int guarantee; /* enum ww_guarantee, or -1: any */
    int cap;       /* enum ww_grade: no finding is graded higher; -1: none */
    int fail_on;   /* enum ww_fail_on: instead of the judge's; -1: that */
    ww_str reason;
    int64_t until_us; /* the rule is over then; 0: never */
    ww_str where;     /* "whichworker.yaml:12": how the user finds it again */
};

/* "ignore", "skip", "probes", "allow", "grades": the list of the configuration that holds it.
 */
const char *ww_user_rule_token(enum ww_user_rule_kind kind);

/* Whether the judge can use it: WW_EUSAGE and what is wrong in the user's words if not. */
int ww_user_rule_check(const struct ww_user_rule *r, struct ww_err *err);

#endif
