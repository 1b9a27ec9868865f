/*
 * packets - a trace of Perfetto as it is written: packet after packet, each a
 * Trace of its own, which one behind the other are one.
 *
 * Names and texts are interned: a packet brings along those that are new.
 */
#ifndef OBSERVER_REPORT_EXPORT_PACKETS_H
#define OBSERVER_REPORT_EXPORT_PACKETS_H

#include "observer/report/export/internal.h"
#include "observer/report/export/trace.pb-c.h"

typedef Perfetto__Protos__Trace perfetto_trace;
typedef Perfetto__Protos__TracePacket perfetto_packet;
typedef Perfetto__Protos__TrackEvent perfetto_event;
typedef Perfetto__Protos__InternedData perfetto_interned;
typedef Perfetto__Protos__DebugAnnotation perfetto_note;
typedef Perfetto__Protos__EventName perfetto_name;
typedef Perfetto__Protos__DebugAnnotationName perfetto_key;
typedef Perfetto__Protos__InternedString perfetto_value;
typedef Perfetto__Protos__TrackEvent__Type perfetto_type;
typedef Perfetto__Protos__TrackDescriptor perfetto_track;
typedef Perfetto__Protos__CounterDescriptor perfetto_counter;
typedef Perfetto__Protos__ProcessDescriptor perfetto_process;
typedef Perfetto__Protos__ThreadDescriptor perfetto_thread;
typedef Perfetto__Protos__TracePacketDefaults perfetto_defaults;
typedef Perfetto__Protos__ClockSnapshot perfetto_snapshot;
typedef Perfetto__Protos__ClockSnapshot__Clock perfetto_clock;

#define EVENT(name) PERFETTO__PROTOS__TRACK_EVENT__TYPE__TYPE_##name

#define NOTES 16 /* annotations of one event, most */

enum text { TEXT_NAME, TEXT_KEY, TEXT_VALUE, TEXTS };

struct packets {
	FILE *out;
	struct store *store;
	struct keys texts[TEXTS];
	uint64_t start;           /* CLOCK_MONOTONIC, ns */
	uint64_t process, tracks; /* the first uuid; those behind it */
	void *room;               /* for a packet's bytes */
	size_t capacity;
	/* of the packet that is being made */
	perfetto_packet packet;
	perfetto_event event;
	perfetto_interned interned;
	perfetto_note note[NOTES], *notes[NOTES];
	perfetto_name name, *names[1];
	perfetto_key key[NOTES], *keys[NOTES];
	perfetto_value value[NOTES], *values[NOTES];
};

void packets_init(struct packets *packets, FILE *out, struct store *store);
void packets_free(struct packets *packets);

/* The first packet: times are of CLOCK_MONOTONIC, packets->start is when the
 * time of day was `time_of_day`. */
void packets_clock(struct packets *packets, uint64_t time_of_day);

/* A packet: fill in packets->packet in between. */
void packet_begin(struct packets *packets);
void packet_end(struct packets *packets);

/* An event of a track, `t` ns behind the start; a name and notes in between. */
void event_begin(struct packets *packets, perfetto_type type, uint64_t t,
                 uint64_t track);
void event_name(struct packets *packets, const char *name);
void event_end(struct packets *packets);

void note_number(struct packets *packets, const char *key, uint64_t number);
void note_signed(struct packets *packets, const char *key, int64_t number);
void note_address(struct packets *packets, const char *key, uint64_t address);
/* Nothing when it is NULL. */
void note_text(struct packets *packets, const char *key, const char *text);

void track_write(struct packets *packets, perfetto_track *track, uint64_t uuid);
/* A track of the process; and one of a number of bytes. */
uint64_t track_new(struct packets *packets, const char *name);
uint64_t counter_new(struct packets *packets, const char *name);
void counter_set(struct packets *packets, uint64_t t, uint64_t track,
                 uint64_t value);

#endif
