/* wire: what a script expects of one end. All fail the script if it does not come true. */
#ifndef WW_WIRE_EXPECT_H
#define WW_WIRE_EXPECT_H

#include "script.h"

/* closed, reset, open, finished, read, unread: see README.md. */
void expect_condition(struct script *s, const struct end *e, ww_str verb);

/* What stands behind "client<" or "upstream<". */
void expect_bytes(struct script *s, bool is_client, struct end *e, ww_str rest);

/* What it got and the script has not spoken of yet. */
ww_str expect_untaken(const struct end *e);

#endif
