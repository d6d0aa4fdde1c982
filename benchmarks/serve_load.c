/* Clients of a chat API: ask, verify every answer, measure.
 *
 *     serve_load --port P [--connections K] [--seconds S] [--requests N] [--rate R] [--stream]
 *                [--tokens T] [--gap-us G] [--first-us F] [--body-bytes B] [--spread-us U]
 *                [--leave-permille L] [--seed X] [--key KEY] [--model M] [--log FILE]
 *                [--timeout-s T] [--no-usage] [--start N] [--rest-us R]
 *
 * Without --rate each of K connections asks again as soon as it is answered (saturation, or K paced
 * streams). With it, requests begin by the clock, whether or not a connection is free: what waits
 * for one is counted as waiting for the answer. Ends after S seconds (600) or N requests and what is
 * under way, or at SIGTERM; prints JSON. FILE gets one line a request:
 * `mark outcome status tokens prompt completion request-id`.
 *
 * outcome   answered   whole and as asked: own mark, tokens as asked, usage, [DONE]
 *           refused    another status than 200, in full
 *           cut        begun (a head came), and then no end
 *           lost       nothing came, the connection ended
 *           late       the time-out passed
 *           left       this client left on purpose, within the answer
 *           wrong      an answer that is not the one asked for
 */
#include "serve_answer.h"

static int epoll_fd;
static volatile sig_atomic_t ending;
static struct client *clients;
static char *head_text, *body_text;
static size_t head_size, body_size, mark_at;

static void write_request(void) {
    struct bytes body = {0}, head = {0};
    char text[512];
    snprintf(text, sizeof text, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"", asked.model);
    put_text(&body, text);
    mark_at = body.to + 2;
    snprintf(text, sizeof text, "n=00000000 gap_us=%lld first_us=%lld ", (long long)asked.gap_us,
             (long long)asked.first_us);
    put_text(&body, text);
    while ((int)body.to + 100 < asked.body_bytes) put_text(&body, "power has a price ");
    snprintf(text, sizeof text, "\"}],\"max_tokens\":%d%s%s}", asked.tokens,
             asked.stream ? ",\"stream\":true" : "",
             asked.stream && asked.usage ? ",\"stream_options\":{\"include_usage\":true}" : "");
    put_text(&body, text);
    snprintf(text, sizeof text,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n",
             asked.port, body.to);
    put_text(&head, text);
    if (asked.key) {
        snprintf(text, sizeof text, "Authorization: Bearer %s\r\n", asked.key);
        put_text(&head, text);
    }
    put_text(&head, "\r\n");
    head_text = head.at, head_size = head.to, body_text = body.at, body_size = body.to;
}

static void watch(struct client *c, int writing) {
    int wanted = (int)EPOLLIN | (writing ? (int)EPOLLOUT : 0);
    if (c->watched == wanted) return;
    struct epoll_event event = {.events = (uint32_t)wanted, .data.ptr = c};
    epoll_ctl(epoll_fd, c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &event);
    c->watched = wanted;
}

static void hang_up(struct client *c) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    c->watched = 0;
    c->in.from = c->in.to = c->out.from = c->out.to = 0;
}

static void end(struct client *c, int outcome) {
    int64_t now = now_us();
    counts[outcome]++;
    ended++;
    if (c->status > 0 && c->status < 600) statuses[c->status]++;
    if (c->is_stream && c->headed) begun_streams++;
    token_sum += c->tokens;
    if (outcome == ANSWERED) {
        keep(&whole_us, (double)(now - c->scheduled_us));
        prompt_sum += c->prompt;
        cached_sum += c->cached;
        completion_sum += c->completion;
        last_us = now;
    }
    if (log_file) {
        fprintf(log_file, "%08d %s %d %d %lld %lld %s\n", c->number, outcome_names[outcome], c->status,
                c->tokens, (long long)c->prompt, (long long)c->completion,
                *c->request_id ? c->request_id : "-");
        fflush(log_file);
    }
    c->state = IDLE;
    c->free_us = outcome == ANSWERED ? now : now + asked.rest_us;
    c->answers++;
    if (outcome > REFUSED || c->closes) hang_up(c);
}

static void flush(struct client *c) {
    while (held(&c->out)) {
        ssize_t wrote = write(c->fd, begin(&c->out), held(&c->out));
        if (wrote < 0 && errno == EAGAIN) {
            watch(c, 1);
            return;
        }
        if (wrote < 0) break; /* reading tells what came of it */
        c->out.from += (size_t)wrote;
    }
    watch(c, 0);
}

static void connect_now(struct client *c) {
    struct sockaddr_in there = loopback(asked.port);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket");
    at_once(c->fd);
    c->fresh = 1;
    if (!connect(c->fd, (struct sockaddr *)&there, sizeof there) || errno == EINPROGRESS) {
        c->state = CONNECTING;
        watch(c, 1);
        return;
    }
    cannot_connect++;
    hang_up(c);
    c->state = IDLE;
    c->free_us = now_us() + asked.rest_us;
}

static void ask(struct client *c) {
    char mark[16];
    c->asked_us = now_us();
    if (asked.rate <= 0) c->scheduled_us = c->asked_us;
    c->number = asked.start + (int)begun++;
    c->headed = c->status = c->chunked = c->closes = c->chunk_state = c->is_stream = c->done = 0;
    c->wrong = c->tokens = 0;
    c->length = -1, c->chunk_left = 0, c->first_us = 0;
    c->prompt = c->cached = c->completion = -1;
    c->request_id[0] = 0;
    c->body.from = c->body.to = 0;
    c->leave_at = 0;
    if (asked.leave_permille && (int)(drawn() % 1000) < asked.leave_permille)
        c->leave_at = 1 + (int)(drawn() % (uint32_t)asked.tokens);
    put(&c->out, head_text, head_size);
    size_t at = c->out.to;
    put(&c->out, body_text, body_size);
    snprintf(mark, sizeof mark, "%08d", c->number % 100000000);
    memcpy(c->out.at + at + mark_at, mark, 8);
    c->state = ASKING;
    flush(c);
}

static void read_from(struct client *c) {
    int closed = 0;
    for (;;) {
        room_for(&c->in, 65536);
        ssize_t size = read(c->fd, c->in.at + c->in.to, 65536);
        if (size < 0 && errno == EAGAIN) break;
        if (size <= 0) {
            closed = 1;
            break;
        }
        c->in.to += (size_t)size;
        if (size < 65536) break;
    }
    if (c->state == ASKING && (closed || held(&c->in)))
        take(c, closed);
    else if (closed)
        hang_up(c);
}

static void connected(struct client *c) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        cannot_connect++;
        hang_up(c);
        c->state = IDLE;
        c->free_us = now_us() + asked.rest_us;
        return;
    }
    c->state = IDLE;
    c->free_us = 0;
    watch(c, 0);
}

static int more(int64_t began_us, int64_t now) {
    return !ending && begun < asked.requests && (double)(now - began_us) < 1e6 * asked.seconds;
}

/* Let every free connection ask that may; return how many are under way. */
static int ask_all(int64_t began_us) {
    int busy = 0;
    for (int i = 0; i < asked.connections; i++) {
        struct client *c = clients + i;
        int64_t now = now_us();
        if (c->state == ASKING && now - c->asked_us > asked.timeout_us) end(c, LATE);
        if (c->state != IDLE) {
            busy++;
            continue;
        }
        if (c->free_us > now || !more(began_us, now)) continue;
        if (c->fd < 0) {
            connect_now(c);
            busy += c->state != IDLE;
            continue;
        }
        if (asked.rate > 0) {
            int64_t at_us = began_us + (int64_t)(1e6 * (double)begun / asked.rate);
            if (at_us > now) continue;
            c->scheduled_us = at_us;
        }
        ask(c);
        busy++;
    }
    return busy;
}

static void tell(int64_t began_us) {
    int64_t took_us = (last_us > began_us ? last_us : now_us()) - began_us;
    printf("{\"tried\":%lld", (long long)ended);
    for (int i = 0; i < OUTCOMES; i++) printf(",\"%s\":%lld", outcome_names[i], (long long)counts[i]);
    printf(",\"cannot_connect\":%lld,\"begun_streams\":%lld", (long long)cannot_connect,
           (long long)begun_streams);
    printf(",\"took_s\":%.6f,\"answers_per_s\":%.3f,\"events\":%lld", (double)took_us / 1e6,
           1e6 * (double)counts[ANSWERED] / (double)took_us, (long long)token_sum);
    printf(",\"prompt_tokens\":%lld,\"cached_tokens\":%lld,\"completion_tokens\":%lld",
           (long long)prompt_sum, (long long)cached_sum, (long long)completion_sum);
    printf(",\"statuses\":{");
    for (int i = 0, some = 0; i < 600; i++)
        if (statuses[i]) printf("%s\"%d\":%lld", some++ ? "," : "", i, (long long)statuses[i]);
    printf("}");
    tell_samples("answer", &whole_us);
    tell_samples("first", &first_us);
    tell_samples("event", &event_us);
    printf("}\n");
}

static void stop(int signal_number) {
    (void)signal_number;
    ending = 1;
}

static void read_words(int count, char **words) {
    for (int i = 1; i < count; i++) {
        const char *word = words[i];
        if (!strcmp(word, "--stream")) { asked.stream = 1; continue; }
        if (!strcmp(word, "--no-usage")) { asked.usage = 0; continue; }
        if (!strcmp(word, "--head")) { asked.head = 1; continue; }
        const char *value = i + 1 < count ? words[++i] : "";
        double number = atof(value);
        if (!strcmp(word, "--port")) asked.port = (int)number;
        else if (!strcmp(word, "--connections")) asked.connections = (int)number;
        else if (!strcmp(word, "--seconds")) asked.seconds = number;
        else if (!strcmp(word, "--requests")) asked.requests = (int64_t)number;
        else if (!strcmp(word, "--rate")) asked.rate = number;
        else if (!strcmp(word, "--tokens")) asked.tokens = (int)number;
        else if (!strcmp(word, "--gap-us")) asked.gap_us = (int64_t)number;
        else if (!strcmp(word, "--first-us")) asked.first_us = (int64_t)number;
        else if (!strcmp(word, "--body-bytes")) asked.body_bytes = (int)number;
        else if (!strcmp(word, "--spread-us")) asked.spread_us = (int64_t)number;
        else if (!strcmp(word, "--rest-us")) asked.rest_us = (int64_t)number;
        else if (!strcmp(word, "--leave-permille")) asked.leave_permille = (int)number;
        else if (!strcmp(word, "--seed")) asked.seed = (int64_t)number;
        else if (!strcmp(word, "--start")) asked.start = (int)number;
        else if (!strcmp(word, "--timeout-s")) asked.timeout_us = (int64_t)(1e6 * number);
        else if (!strcmp(word, "--key")) asked.key = value;
        else if (!strcmp(word, "--model")) asked.model = value;
        else if (!strcmp(word, "--log")) asked.log = value;
        else { fprintf(stderr, "unknown option %s\n", word); exit(2); }
    }
    if (!asked.port) { fprintf(stderr, "--port is missing\n"); exit(2); }
}

int main(int count, char **words) {
    struct epoll_event events[EVENTS];
    read_words(count, words);
    signal(SIGPIPE, SIG_IGN);
    with_parent();
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    all_files();
    write_request();
    if (asked.log && !(log_file = fopen(asked.log, "w"))) die(asked.log);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    clients = calloc((size_t)asked.connections, sizeof *clients);
    if (!clients) die("memory");
    int64_t began_us = now_us();
    for (int i = 0; i < asked.connections; i++) {
        clients[i].fd = -1;
        clients[i].free_us = began_us + i * asked.spread_us / asked.connections;
    }
    for (;;) {
        int64_t now = now_us();
        if (!ask_all(began_us) && !more(began_us, now)) break;
        int64_t wait_us = 1000;
        if (asked.rate > 0) {
            wait_us = began_us + (int64_t)(1e6 * (double)begun / asked.rate) - now_us();
            if (wait_us > 1000) wait_us = 1000;
            if (wait_us < 20) wait_us = 20;
        }
        struct timespec wait = {.tv_nsec = wait_us * 1000};
        int found = epoll_pwait2(epoll_fd, events, EVENTS, &wait, NULL);
        for (int i = 0; i < found; i++) {
            struct client *c = events[i].data.ptr;
            if (c->fd < 0) continue;
            if (c->state == CONNECTING) {
                connected(c);
                continue;
            }
            if (events[i].events & EPOLLOUT) flush(c);
            if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_from(c);
        }
    }
    tell(began_us);
    return 0;
}
