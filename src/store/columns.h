/* store: the columns of table exchange, in the order in which both ends of the trace bind them.
 */
#ifndef WW_STORE_COLUMNS_H
#define WW_STORE_COLUMNS_H

/* clang-format off */
#define EXCHANGE_COLUMNS(X) /* all but id, which comes first */ \
    X(CONNECTION,      connection)                              \
    X(UPSTREAM,        upstream)                                \
    X(REQUEST_ID,      request_id)                              \
    X(CLIENT,          client)                                  \
    X(STARTED_US,      started_us)                              \
    X(CONNECTED_US,    connected_us)                            \
    X(ACCEPTED_US,     accepted_us)                             \
    X(ANSWERED_US,     answered_us)                             \
    X(ENDED_US,        ended_us)                                \
    X(ATTRIBUTED_BY,   attributed_by)                           \
    X(PID,             pid)                                     \
    X(START_TICKS,     start_ticks)                             \
    X(ALSO_BY,         also_by)                                 \
    X(ALSO_PID,        also_pid)                                \
    X(ALSO_START_TICKS, also_start_ticks)                       \
    X(METHOD,          method)                                  \
    X(TARGET,          target)                                  \
    X(REQUEST_MINOR,   request_minor)                           \
    X(REQUEST_FIELDS,  request_fields)                          \
    X(REQUEST_BODY,    request_body)                            \
    X(REQUEST_SIZE,    request_size)                            \
    X(STATUS,          status)                                  \
    X(RESPONSE_FIELDS, response_fields)                         \
    X(RESPONSE_BODY,   response_body)                           \
    X(RESPONSE_SIZE,   response_size)                           \
    X(ENDED_AS,        ended_as)
/* clang-format on */

enum exchange_column {
    EXCHANGE_ID,
#define EXCHANGE_ENUM(id, name) EXCHANGE_##id,
    EXCHANGE_COLUMNS(EXCHANGE_ENUM)
#undef EXCHANGE_ENUM
        EXCHANGE_COLUMN_COUNT
};

#endif
