/* A stand-in for NVIDIA's libnvidia-ml.so.1, for machines without a board.
 *
 * It has the functions that nvidia-ml-py looks up by name, their arguments and their return codes
 * as nvml.h states them. What it answers it reads at every call from the file that the variable
 * NVML_STAND_IN names:
 *
 *     driver <epoch>                  one line; epoch -1: the driver is not loaded
 *     board <uuid> <mJ> <mW> <mig> <state> <pid,pid,...|->
 *
 * mJ or mW of -1: not supported; -2: no value (all bits set); mig -1: not supported, 0, 1;
 * state: ok, lost, denied. Another epoch than the one that nvmlInit saw is a driver that was
 * reloaded: everything fails until NVML is opened anew.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4,
    NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15, UNKNOWN = 999
};
enum { BOARDS = 16, NAME = 96, PIDS = 32 };

struct board {
    char uuid[NAME];
    long long millijoules, milliwatts;
    int mig;
    char state[NAME], pids[NAME];
};
struct process { unsigned int pid; unsigned long long memory; unsigned int instance, part; };

static struct board boards[BOARDS];
static int boards_count, loaded_epoch, opened_epoch, openings;

static int look(void) {
    const char *path = getenv("NVML_STAND_IN");
    FILE *file = path ? fopen(path, "r") : NULL;
    char line[512];
    boards_count = 0;
    loaded_epoch = -1;
    if (!file) return DRIVER_NOT_LOADED;
    while (fgets(line, sizeof line, file)) {
        struct board *at = &boards[boards_count];
        if (sscanf(line, "driver %d", &loaded_epoch) == 1) continue;
        if (boards_count < BOARDS &&
            sscanf(line, "board %95s %lld %lld %d %95s %95s", at->uuid, &at->millijoules,
                   &at->milliwatts, &at->mig, at->state, at->pids) == 6)
            boards_count++;
    }
    fclose(file);
    return loaded_epoch < 0 ? DRIVER_NOT_LOADED : SUCCESS;
}

static int ready(void) {
    if (openings == 0) return UNINITIALIZED;
    if (look() != SUCCESS) return DRIVER_NOT_LOADED;
    return loaded_epoch == opened_epoch ? SUCCESS : UNKNOWN;
}

/* A handle is the place of a board, from 1. */
static int board_of(void *handle, struct board **found) {
    int code = ready(), at = (int)(long)handle - 1;
    if (code != SUCCESS) return code;
    if (at < 0 || at >= boards_count) return INVALID_ARGUMENT;
    *found = &boards[at];
    if (strcmp((*found)->state, "lost") == 0) return GPU_IS_LOST;
    return SUCCESS;
}

int nvmlInitWithFlags(unsigned int flags) {
    int code = look();
    (void)flags;
    if (code != SUCCESS) return code;
    if (openings++ == 0) opened_epoch = loaded_epoch;
    return SUCCESS;
}
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlShutdown(void) {
    if (openings == 0) return UNINITIALIZED;
    openings--;
    return SUCCESS;
}
const char *nvmlErrorString(int code) {
    switch (code) {
    case UNINITIALIZED: return "Uninitialized";
    case NOT_SUPPORTED: return "Not Supported";
    case NO_PERMISSION: return "Insufficient Permissions";
    case NOT_FOUND: return "Not Found";
    case DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case GPU_IS_LOST: return "GPU is lost";
    default: return "Unknown Error";
    }
}
int nvmlDeviceGetCount_v2(unsigned int *count) {
    int code = ready();
    *count = (unsigned int)boards_count;
    return code;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **handle) {
    int code = ready();
    if (code != SUCCESS) return code;
    if (index >= (unsigned int)boards_count) return INVALID_ARGUMENT;
    *handle = (void *)(long)(index + 1);
    return SUCCESS;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    int code = ready();
    if (code != SUCCESS) return code;
    for (int at = 0; at < boards_count; at++)
        if (strcmp(boards[at].uuid, uuid) == 0) {
            *handle = (void *)(long)(at + 1);
            return SUCCESS;
        }
    return NOT_FOUND;
}
int nvmlDeviceGetUUID(void *handle, char *uuid, unsigned int length) {
    struct board *board;
    int code = board_of(handle, &board);
    if (code != SUCCESS) return code;
    snprintf(uuid, length, "%s", board->uuid);
    return SUCCESS;
}
int nvmlDeviceGetPowerUsage(void *handle, unsigned int *milliwatts) {
    struct board *board;
    int code = board_of(handle, &board);
    if (code != SUCCESS) return code;
    if (board->milliwatts == -1) return NOT_SUPPORTED;
    *milliwatts = (unsigned int)(board->milliwatts == -2 ? -1 : board->milliwatts);
    return SUCCESS;
}
#ifndef OLD_DRIVER
int nvmlDeviceGetTotalEnergyConsumption(void *handle, unsigned long long *millijoules) {
    struct board *board;
    int code = board_of(handle, &board);
    if (code != SUCCESS) return code;
    if (strcmp(board->state, "denied") == 0) return NO_PERMISSION;
    if (board->millijoules == -1) return NOT_SUPPORTED;
    *millijoules = (unsigned long long)(board->millijoules == -2 ? -1 : board->millijoules);
    return SUCCESS;
}
int nvmlDeviceGetMigMode(void *handle, unsigned int *current, unsigned int *pending) {
    struct board *board;
    int code = board_of(handle, &board);
    if (code != SUCCESS) return code;
    if (board->mig < 0) return NOT_SUPPORTED;
    *current = *pending = (unsigned int)board->mig;
    return SUCCESS;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned int *count,
                                            struct process *processes) {
    struct board *board;
    unsigned int told = 0;
    char list[NAME], *rest = NULL;
    int code = board_of(handle, &board);
    if (code != SUCCESS) return code;
    snprintf(list, sizeof list, "%s", board->pids);
    if (strcmp(list, "-") != 0)
        for (char *pid = strtok_r(list, ",", &rest); pid; pid = strtok_r(NULL, ",", &rest)) {
            if (processes && told < *count)
                processes[told] = (struct process){(unsigned int)atoi(pid), 1 << 30, -1u, -1u};
            told++;
        }
    code = told > (processes ? *count : 0) ? INSUFFICIENT_SIZE : SUCCESS;
    *count = told;
    return code;
}
#endif
