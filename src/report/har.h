/* report: one exchange as the request and the response of a HAR entry. */
#ifndef WW_REPORT_HAR_H
#define WW_REPORT_HAR_H

#include <whichworker/exchange.h>
#include <whichworker/json.h>

/* upstream: where the application was, for a request without a usable Host. */
void ww_har_request(struct ww_json *j, const struct ww_exchange *x, ww_str upstream);
void ww_har_response(struct ww_json *j, const struct ww_exchange *x);

#endif
