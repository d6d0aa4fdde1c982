/* A model server that does nothing but answer: what proxies are measured against.
 *
 *     serve_upstream [PORT]       prints `port N`; ends at SIGTERM
 *
 * Any POST is a chat completion. `max_tokens` says how many tokens come (64 if absent). The text of
 * the messages may say more: `n=00000012` is repeated in the answer, so that a client knows its
 * own; `gap_us=` waits between two tokens of a stream, `first_us=` before the first byte;
 * `pad_bytes=` makes each event so much longer.
 * A token is four characters, as tokens have on average: the moment at which its event left
 * (`put_stamp`). Each event of a stream carries the client's `n=` as `system_fingerprint`.
 * Prompt tokens are 17 to 66, cached ones 16 for every seventh request: /counters holds the sums.
 * GET /health, /v1/models, /counters, /metrics.
 */
#include "serve_net.h"

enum { READING, WAITING, STREAMING };
enum { PAD_MOST = 16384, UNSENT_MOST = 262144 };

struct client {
    int fd, state, watched, wants_usage, gone;
    struct bytes in, out;
    int64_t due_us, gap_us;
    int tokens, sent, begun, pad, prompt, cached, place; /* place: in the heap, -1: not in it */
    char mark[24], model[128];
    struct client *next_dead;
};

static struct {
    int64_t requests, json, streams, finished, cut, prompt, cached, completion, refused;
    int64_t cut_prompt, cut_tokens, connections, open;
} seen;

static char padding[PAD_MOST];
static int epoll_fd;
static volatile sig_atomic_t ending;
static struct client **heap, *dead;
static int heap_count, heap_room;

static void set(int at, struct client *c) {
    heap[at] = c;
    c->place = at;
}

static void settle_down(int at, struct client *c) {
    for (int next; (next = 2 * at + 1) < heap_count; at = next) {
        if (next + 1 < heap_count && heap[next + 1]->due_us < heap[next]->due_us) next++;
        if (heap[next]->due_us >= c->due_us) break;
        set(at, heap[next]);
    }
    set(at, c);
}

static void settle_up(int at, struct client *c) {
    for (; at && heap[(at - 1) / 2]->due_us > c->due_us; at = (at - 1) / 2)
        set(at, heap[(at - 1) / 2]);
    set(at, c);
}

static void schedule(struct client *c, int64_t due_us) {
    c->due_us = due_us;
    if (c->place >= 0) {
        settle_down(c->place, c);
        return;
    }
    if (heap_count == heap_room) {
        heap_room = heap_room ? 2 * heap_room : 256;
        heap = realloc(heap, (size_t)heap_room * sizeof *heap);
        if (!heap) die("memory");
    }
    settle_up(heap_count++, c);
}

static void unschedule(struct client *c) {
    if (c->place < 0) return;
    int at = c->place;
    struct client *last = heap[--heap_count];
    c->place = -1;
    if (last == c) return;
    settle_down(at, last);
    settle_up(last->place, last);
}

static void watch(struct client *c, int writing) {
    int wanted = (int)EPOLLIN | (int)EPOLLRDHUP | (writing ? (int)EPOLLOUT : 0);
    if (c->watched == wanted) return;
    struct epoll_event event = {.events = (uint32_t)wanted, .data.ptr = c};
    epoll_ctl(epoll_fd, c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event);
    c->watched = wanted;
}

static void leave(struct client *c) {
    if (c->gone) return;
    if (c->state != READING) {
        seen.cut++;
        seen.cut_prompt += c->prompt;
        seen.cut_tokens += c->sent;
    }
    unschedule(c);
    close(c->fd);
    c->gone = 1;
    c->next_dead = dead;
    dead = c;
    seen.open--;
}

static void flush(struct client *c) {
    while (held(&c->out)) {
        ssize_t wrote = write(c->fd, begin(&c->out), held(&c->out));
        if (wrote < 0 && errno == EAGAIN) {
            watch(c, 1);
            return;
        }
        if (wrote < 0) {
            leave(c);
            return;
        }
        c->out.from += (size_t)wrote;
    }
    watch(c, 0);
}

static void answer(struct client *c, const char *status, const char *type, const char *body) {
    char head[256];
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status,
                        type, strlen(body));
    put(&c->out, head, (size_t)size);
    put_text(&c->out, body);
}

static int usage_of(struct client *c, char *into, size_t size) {
    return snprintf(into, size,
                    "\"usage\":{\"prompt_tokens\":%d,\"total_tokens\":%d,\"completion_tokens\":%d,"
                    "\"prompt_tokens_details\":{\"cached_tokens\":%d}}",
                    c->prompt, c->prompt + c->tokens, c->tokens, c->cached);
}

static void finished(struct client *c) {
    seen.prompt += c->prompt;
    seen.cached += c->cached;
    seen.completion += c->tokens;
    c->state = READING;
}

static void answer_json(struct client *c) {
    char body[1024], usage[256];
    usage_of(c, usage, sizeof usage);
    snprintf(body, sizeof body,
             "{\"id\":\"chatcmpl-%s\",\"object\":\"chat.completion\",\"created\":1767225600,"
             "\"model\":\"%s\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
             "\"content\":\"%s A token has a price at a place and an hour.\",\"tool_calls\":[]},"
             "\"logprobs\":null,\"finish_reason\":\"stop\",\"stop_reason\":null}],%s}",
             c->mark + 2, c->model, c->mark, usage);
    answer(c, "200 OK", "application/json", body);
    seen.json++;
    finished(c);
}

static void put_event(struct client *c, const char *data) {
    char size[24];
    snprintf(size, sizeof size, "%zx\r\n", strlen(data) + 8);
    put_text(&c->out, size);
    put_text(&c->out, "data: ");
    put_text(&c->out, data);
    put_text(&c->out, "\n\n\r\n");
}

static void put_chunk(struct client *c, const char *choices, const char *usage) {
    static char data[PAD_MOST + 1024];
    snprintf(data, sizeof data,
             "{\"id\":\"chatcmpl-%s\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,"
             "\"model\":\"%s\",\"system_fingerprint\":\"%s %.*s\",\"choices\":[%s]%s%s}",
             c->mark + 2, c->model, c->mark, c->pad, padding, choices,
             *usage ? "," : "", usage);
    put_event(c, data);
}

static void begin_stream(struct client *c) {
    put_text(&c->out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n");
    put_chunk(c, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
                 "\"logprobs\":null,\"finish_reason\":null}", "");
    seen.streams++;
    c->begun = 1;
}

static void next_token(struct client *c) {
    char usage[256], choice[128], stamp[8];
    if (!c->begun) begin_stream(c);
    put_stamp(stamp, now_us());
    snprintf(choice, sizeof choice,
             "{\"index\":0,\"delta\":{\"content\":\"%s\"},\"logprobs\":null,"
             "\"finish_reason\":null}", stamp);
    put_chunk(c, choice, "");
    c->sent++;
    if (c->sent < c->tokens) {
        schedule(c, c->due_us + c->gap_us);
        return;
    }
    put_chunk(c, "{\"index\":0,\"delta\":{\"content\":\"\"},\"logprobs\":null,"
                 "\"finish_reason\":\"length\"}", "");
    if (c->wants_usage) {
        usage_of(c, usage, sizeof usage);
        put_chunk(c, "", usage);
    }
    put_event(c, "[DONE]");
    put_text(&c->out, "0\r\n\r\n");
    seen.finished++;
    unschedule(c);
    finished(c);
}

static void tell(struct client *c) {
    char body[640];
    snprintf(body, sizeof body,
             "{\"requests\":%lld,\"json\":%lld,\"streams\":%lld,\"finished\":%lld,\"cut\":%lld,"
             "\"prompt_tokens\":%lld,\"cached_tokens\":%lld,\"completion_tokens\":%lld,"
             "\"cut_prompt_tokens\":%lld,\"cut_tokens\":%lld,\"refused\":%lld,\"connections\":%lld,\"open\":%lld}",
             (long long)seen.requests, (long long)seen.json, (long long)seen.streams,
             (long long)seen.finished, (long long)seen.cut, (long long)seen.prompt,
             (long long)seen.cached, (long long)seen.completion,
             (long long)seen.cut_prompt, (long long)seen.cut_tokens, (long long)seen.refused, (long long)seen.connections, (long long)seen.open);
    answer(c, "200 OK", "application/json", body);
}

static void got(struct client *c, const char *head) {
    if (!strncmp(head, "GET /counters", 13))
        tell(c);
    else if (!strncmp(head, "GET /health", 11))
        answer(c, "200 OK", "application/json", "{}");
    else if (!strncmp(head, "GET /v1/models", 14))
        answer(c, "200 OK", "application/json",
               "{\"object\":\"list\",\"data\":[{\"id\":\"small\",\"object\":\"model\","
               "\"created\":1767225600,\"owned_by\":\"nobody\"}]}");
    else if (!strncmp(head, "GET /metrics", 12))
        answer(c, "200 OK", "text/plain", "");
    else {
        answer(c, "404 Not Found", "application/json", "{}");
        seen.refused++;
    }
}

static void posted(struct client *c, const char *body, size_t size) {
    const char *found = after_key(body, size, "\"stream\"");
    const char *usage = after_key(body, size, "\"include_usage\"");
    const char *mark = memmem(body, size, "n=", 2), *model = after_key(body, size, "\"model\"");
    int64_t first_us = number_after(body, size, "first_us=", 0);
    int64_t cap = number_after(body, size, "\"max_completion_tokens\"", 64);
    seen.requests++;
    c->tokens = (int)number_after(body, size, "\"max_tokens\"", cap);
    c->sent = 0;
    c->prompt = 17 + (int)(seen.requests % 50);
    c->cached = seen.requests % 7 ? 0 : 16;
    c->begun = 0;
    c->gap_us = number_after(body, size, "gap_us=", 0);
    c->pad = (int)number_after(body, size, "pad_bytes=", 0);
    if (c->pad > PAD_MOST) c->pad = PAD_MOST;
    c->wants_usage = usage && !strncmp(usage, "true", 4);
    snprintf(c->mark, sizeof c->mark, "%.10s", mark && mark + 10 < body + size ? mark : "n=?");
    c->model[0] = 0;
    if (model && *model == '"') {
        size_t length = strcspn(model + 1, "\"");
        snprintf(c->model, sizeof c->model, "%.*s", (int)length, model + 1);
    }
    if (found && !strncmp(found, "true", 4) && c->tokens > 0) {
        c->state = STREAMING;
        if (!first_us) begin_stream(c);
        schedule(c, now_us() + first_us);
    } else if (first_us) {
        c->state = WAITING;
        schedule(c, now_us() + first_us);
    } else {
        answer_json(c);
    }
}

static void take(struct client *c) {
    while (c->state == READING && held(&c->in)) {
        char *head = begin(&c->in), *end = memmem(head, held(&c->in), "\r\n\r\n", 4);
        if (!end) return;
        size_t size = (size_t)(end - head) + 4, length = 0;
        const char *stated = header(head, size, "content-length");
        if (stated) length = strtoul(stated, NULL, 10);
        if (!stated && !strncmp(head, "POST", 4)) {
            answer(c, "411 Length Required", "application/json", "{}");
            seen.refused++;
            c->in.from = c->in.to;
            return;
        }
        if (held(&c->in) < size + length) return;
        c->in.from += size + length;
        if (strncmp(head, "POST", 4))
            got(c, head);
        else
            posted(c, head + size, length);
    }
}

static void go_on(struct client *c) {
    if (!c->gone && c->state == READING) take(c);
    if (!c->gone) flush(c);
}

static void read_from(struct client *c) {
    for (;;) {
        room_for(&c->in, 65536);
        ssize_t size = read(c->fd, c->in.at + c->in.to, 65536);
        if (size < 0 && errno == EAGAIN) break;
        if (size <= 0) {
            leave(c);
            return;
        }
        c->in.to += (size_t)size;
        if (size < 65536) break;
    }
    go_on(c);
}

static void due(void) {
    int64_t now = now_us();
    while (heap_count && heap[0]->due_us <= now) {
        struct client *c = heap[0];
        if (c->state == WAITING) {
            unschedule(c);
            answer_json(c);
        } else if (held(&c->out) > UNSENT_MOST) {
            schedule(c, now + 10000); /* it does not read: wait */
        } else {
            next_token(c);
        }
        go_on(c);
    }
}

static void accepted(int door) {
    for (int fd; (fd = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        struct client *c = calloc(1, sizeof *c);
        if (!c) die("memory");
        c->fd = fd;
        c->place = -1;
        at_once(fd);
        int most = UNSENT_MOST; /* what a client does not take stays unsent, and is seen */
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
        watch(c, 0);
        seen.connections++;
        seen.open++;
    }
}

static void stop(int signal_number) {
    (void)signal_number;
    ending = 1;
}

int main(int count, char **words) {
    int port = count > 1 ? atoi(words[1]) : 0, door = listening(&port);
    struct epoll_event events[EVENTS], first = {.events = EPOLLIN, .data.ptr = NULL};
    signal(SIGPIPE, SIG_IGN);
    with_parent();
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    all_files();
    memset(padding, 'x', sizeof padding);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, door, &first);
    printf("port %d\n", port);
    fflush(stdout);
    while (!ending) {
        int64_t left_us = heap_count ? heap[0]->due_us - now_us() : 1000000;
        struct timespec wait = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};
        if (left_us < 0) wait = (struct timespec){0};
        int found = epoll_pwait2(epoll_fd, events, EVENTS, &wait, NULL);
        for (int i = 0; i < found; i++) {
            struct client *c = events[i].data.ptr;
            if (!c)
                accepted(door);
            else if (!c->gone && events[i].events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
                leave(c);
            else if (!c->gone && events[i].events & EPOLLIN)
                read_from(c);
            else if (!c->gone)
                flush(c);
        }
        due();
        for (struct client *c; (c = dead);) {
            dead = c->next_dead;
            free(c->in.at);
            free(c->out.at);
            free(c);
        }
    }
    return 0;
}
