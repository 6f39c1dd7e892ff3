/* tests: a case's `rule` line: what the configuration file would say, in key=value words. */
#ifndef CASE_RULE_H
#define CASE_RULE_H

#include <whichworker/judge.h>

#define CASE_RULES_MAX 16

struct case_rules {
    struct ww_arena arena;
    struct ww_user_rule rule[CASE_RULES_MAX];
    size_t rules;
};

void case_rules_init(struct case_rules *c);
void case_rules_release(struct case_rules *c);

/* Adds "ignore pointer=/a route=…"; false and err if it is not a rule. */
bool case_rules_add(struct case_rules *c, char **word, size_t words, size_t line,
                    struct ww_err *err);

#endif
