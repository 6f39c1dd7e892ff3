/* Writes what doctor saw and concluded as one JSON object, for scripts. */
#include "doctor.h"

#include <whichworker/json.h>
#include <whichworker/units.h>

#include <string.h>

static void put_user(struct ww_json *j, bool known, uint32_t uid)
{
    char user[DOCTOR_USER];

    if (!known) {
        ww_json_null(j, "uid");
        ww_json_null(j, "user");
        return;
    }
    doctor_user(uid, user);
    ww_json_int(j, "uid", uid);
    ww_json_str(j, "user", ww_str_c(user));
}

static void put_error(struct ww_json *j, const char *key, int error)
{
    ww_json_str(j, key, error == 0 ? (ww_str){ 0 } : ww_str_c(strerrordesc_np(error)));
}

static void put_listener(struct ww_json *j, const struct ww_exam_listener *l)
{
    ww_json_obj(j, NULL);
    ww_json_str(j, "address", ww_str_c(l->at.text));
    ww_json_int(j, "inode", (int64_t)l->inode);
    put_user(j, l->uid_known, l->uid);
    ww_json_int(j, "queued", l->queued);
    ww_json_int(j, "backlog", l->backlog);
    ww_json_int(j, "holders", (int64_t)l->holders);
    ww_json_end(j);
}

static void put_process(struct ww_json *j, const struct ww_exam_process *x)
{
    char since[WW_TIME_TEXT];

    ww_time_text(x->worker.started_us, since);
    ww_json_obj(j, NULL);
    ww_json_int(j, "pid", x->worker.id.pid);
    ww_json_int(j, "ppid", x->ppid);
    ww_json_str(j, "started_at", ww_str_c(since));
    put_user(j, x->uid_known, x->uid);
    ww_json_str(j, "role", ww_str_c(ww_exam_role_token(x->role)));
    ww_json_bool(j, "accepts", ww_exam_serves(x));
    ww_json_bool(j, "listens", x->listens);
    ww_json_bool(j, "inferred", x->inferred);
    ww_json_bool(j, "readable", x->fd_error == 0);
    put_error(j, "error", x->fd_error);
    ww_json_bool(j, "dumpable", !x->closed);
    ww_json_str(j, "command", ww_str_c(x->worker.command));
    ww_json_end(j);
}

static const char *owner_token(enum ww_owner owner)
{
    switch (owner) {
    case WW_OWNER_QUEUED:
        return "queued";
    case WW_OWNER_UNSETTLED:
        return "unsettled";
    case WW_OWNER_KNOWN:
        return "known";
    case WW_OWNER_AMBIGUOUS:
        return "ambiguous";
    case WW_OWNER_UNKNOWN:
        break;
    }
    return "unknown";
}

static void put_touch(struct ww_json *j, const struct touch_one *o)
{
    bool known = o->owner == WW_OWNER_KNOWN;

    ww_json_obj(j, NULL);
    ww_json_str(j, "owner", ww_str_c(owner_token(o->owner)));
    if (known)
        ww_json_int(j, "pid", o->worker.id.pid);
    else
        ww_json_null(j, "pid");
    ww_json_num(j, "ms", (double)o->took_us / 1000);
    ww_json_str(j, "why", known ? (ww_str){ 0 } : ww_str_c(ww_obstacle_sentence(o->why)));
    ww_json_end(j);
}

static void put_check(struct ww_json *j, const struct touch *t)
{
    if (!t->tried) {
        ww_json_null(j, "live_check");
        return;
    }
    ww_json_obj(j, "live_check");
    put_error(j, "error", t->error);
    ww_json_bool(j, "sent_data", t->sent);
    ww_json_arr(j, "connections");
    for (size_t i = 0; i < t->n; i++)
        put_touch(j, &t->one[i]);
    ww_json_end(j);
    ww_json_end(j);
}

static void put_remedies(struct ww_json *j, const struct doctor_source *s)
{
    ww_json_arr(j, "remedy");
    for (size_t i = 0; i < s->remedies; i++) {
        ww_str command = ww_buf_str(&s->remedy[i].command);

        ww_json_obj(j, NULL);
        ww_json_str(j, "text", ww_buf_str(&s->remedy[i].text));
        ww_json_str(j, "command", command.len == 0 ? (ww_str){ 0 } : command);
        ww_json_end(j);
    }
    ww_json_end(j);
}

static void put_source(struct ww_json *j, const struct doctor_source *s)
{
    ww_json_obj(j, s->name);
    if (s->works == DOCTOR_NOT_KNOWN)
        ww_json_null(j, "works");
    else
        ww_json_bool(j, "works", s->works == DOCTOR_YES);
    ww_json_str(j, "why", ww_buf_str(&s->why));
    put_remedies(j, s);
    ww_json_end(j);
}

static void put_self(struct ww_json *j, const struct ww_exam *e)
{
    ww_json_obj(j, "self");
    ww_json_str(j, "program", ww_str_c(e->program));
    put_user(j, true, e->uid);
    ww_json_bool(j, "cap_sys_ptrace", e->cap_ptrace);
    ww_json_bool(j, "cap_dac_read_search", e->cap_search);
    ww_json_end(j);
}

void doctor_json(const struct doctor_input *in, const struct doctor *d, struct ww_buf *out)
{
    const struct ww_exam *e = in->exam;
    struct ww_json j;

    ww_json_init(&j, out, true);
    ww_json_obj(&j, NULL);
    ww_json_str(&j, "schema", WW_STR("whichworker/doctor/1"));
    ww_json_str(&j, "upstream", in->upstream);
    ww_json_str(&j, "verdict", ww_str_c(doctor_verdict(d)));
    ww_json_int(&j, "exit_status", d->status);
    ww_json_arr(&j, "listeners");
    for (size_t i = 0; i < e->listeners; i++)
        put_listener(&j, &e->listener[i]);
    ww_json_end(&j);
    ww_json_arr(&j, "processes");
    for (size_t i = 0; i < e->processes; i++)
        put_process(&j, &e->process[i]);
    ww_json_end(&j);
    ww_json_int(&j, "unreadable_others", (int64_t)e->hidden.processes);
    put_error(&j, "sock_diag_error", e->diag_error);
    put_check(&j, in->touch);
    ww_json_obj(&j, "sources");
    for (size_t i = 0; i < DOCTOR_SOURCES; i++)
        put_source(&j, &d->source[i]);
    ww_json_end(&j);
    put_self(&j, e);
    ww_json_end(&j);
    ww_json_finish(&j);
}
