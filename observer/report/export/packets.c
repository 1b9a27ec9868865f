/*
 * Packets of Perfetto's trace format, as they are written.
 */
#include "observer/report/export/packets.h"

#include <stdlib.h>
#include <string.h>

#define SEQUENCE 1

void packets_init(struct packets *packets, FILE *out, struct store *store)
{
	packets->out = out;
	packets->store = store;
	for (int i = 0; i < TEXTS; i++)
		packets->texts[i].store = store;
}

void packets_free(struct packets *packets)
{
	for (int i = 0; i < TEXTS; i++)
		keys_free(&packets->texts[i]);
	free(packets->room);
}

/* ---- packets ------------------------------------------------------------ */

void packet_begin(struct packets *packets)
{
	perfetto__protos__trace_packet__init(&packets->packet);
	perfetto__protos__interned_data__init(&packets->interned);
	packets->interned.event_names = packets->names;
	packets->interned.debug_annotation_names = packets->keys;
	packets->interned.debug_annotation_string_values = packets->values;
	packets->packet.has_trusted_packet_sequence_id = 1;
	packets->packet.trusted_packet_sequence_id = SEQUENCE;
	packets->packet.has_sequence_flags = 1;
	packets->packet.sequence_flags =
		PERFETTO__PROTOS__TRACE_PACKET__SEQUENCE_FLAGS__SEQ_NEEDS_INCREMENTAL_STATE;
}

/* A Trace of one packet; one behind the other they are one Trace. */
void packet_end(struct packets *packets)
{
	perfetto_packet *one[] = { &packets->packet };
	perfetto_trace root = PERFETTO__PROTOS__TRACE__INIT;
	size_t size;

	if (packets->interned.n_event_names ||
	    packets->interned.n_debug_annotation_names ||
	    packets->interned.n_debug_annotation_string_values)
		packets->packet.interned_data = &packets->interned;
	root.packet = one;
	root.n_packet = 1;
	size = perfetto__protos__trace__get_packed_size(&root);
	if (size > packets->capacity) {
		free(packets->room);
		packets->room = malloc(2 * size);
		packets->capacity = packets->room ? 2 * size : 0;
	}
	if (packets->room)
		fwrite(packets->room, 1,
		       perfetto__protos__trace__pack(&root, packets->room),
		       packets->out);
	else
		packets->store->failed = 1;
}

/* ---- texts -------------------------------------------------------------- */

static void bring_name(struct packets *packets, uint64_t iid, char *text)
{
	perfetto_name *name = &packets->name;

	perfetto__protos__event_name__init(name);
	name->has_iid = 1;
	name->iid = iid;
	name->name = text;
	packets->names[packets->interned.n_event_names++] = name;
}

static void bring_key(struct packets *packets, uint64_t iid, char *text)
{
	size_t i = packets->interned.n_debug_annotation_names++;
	perfetto_key *key = &packets->key[i];

	perfetto__protos__debug_annotation_name__init(key);
	key->has_iid = 1;
	key->iid = iid;
	key->name = text;
	packets->keys[i] = key;
}

static void bring_value(struct packets *packets, uint64_t iid, char *text,
                        size_t size)
{
	size_t i = packets->interned.n_debug_annotation_string_values++;
	perfetto_value *value = &packets->value[i];

	perfetto__protos__interned_string__init(value);
	value->has_iid = value->has_str = 1;
	value->iid = iid;
	value->str.data = (uint8_t *)text;
	value->str.len = size;
	packets->values[i] = value;
}

/* The number of a text, which the packet brings along when it is new. */
static uint64_t intern(struct packets *packets, enum text which,
                       const char *text)
{
	struct keys *texts = &packets->texts[which];
	const char *clean = text_clean(packets->store, text);
	size_t before = texts->count;
	size_t index = keys_put(texts, clean, strlen(clean));
	uint64_t iid = index + 1;
	char *copy;

	if (index < before || packets->store->failed)
		return iid;
	copy = (char *)texts->key[index].bytes;
	if (which == TEXT_NAME)
		bring_name(packets, iid, copy);
	else if (which == TEXT_KEY)
		bring_key(packets, iid, copy);
	else
		bring_value(packets, iid, copy, texts->key[index].size);
	return iid;
}

/* ---- events ------------------------------------------------------------- */

void event_begin(struct packets *packets, perfetto_type type, uint64_t t,
                 uint64_t track)
{
	packet_begin(packets);
	packets->packet.has_timestamp = 1;
	packets->packet.timestamp = packets->start + t;
	packets->packet.track_event = &packets->event;
	perfetto__protos__track_event__init(&packets->event);
	packets->event.has_type = 1;
	packets->event.type = type;
	packets->event.has_track_uuid = 1;
	packets->event.track_uuid = track;
	packets->event.debug_annotations = packets->notes;
}

void event_name(struct packets *packets, const char *name)
{
	packets->event.has_name_iid = 1;
	packets->event.name_iid = intern(packets, TEXT_NAME, name);
}

void event_end(struct packets *packets)
{
	packet_end(packets);
}

static perfetto_note *note_add(struct packets *packets, const char *key)
{
	size_t i = packets->event.n_debug_annotations++;
	perfetto_note *note = &packets->note[i];

	perfetto__protos__debug_annotation__init(note);
	note->has_name_iid = 1;
	note->name_iid = intern(packets, TEXT_KEY, key);
	packets->notes[i] = note;
	return note;
}

void note_number(struct packets *packets, const char *key, uint64_t number)
{
	perfetto_note *note = note_add(packets, key);

	note->has_uint_value = 1;
	note->uint_value = number;
}

void note_signed(struct packets *packets, const char *key, int64_t number)
{
	perfetto_note *note = note_add(packets, key);

	note->has_int_value = 1;
	note->int_value = number;
}

void note_address(struct packets *packets, const char *key, uint64_t address)
{
	perfetto_note *note = note_add(packets, key);

	note->has_pointer_value = 1;
	note->pointer_value = address;
}

void note_text(struct packets *packets, const char *key, const char *text)
{
	perfetto_note *note;

	if (!text)
		return;
	note = note_add(packets, key);
	note->has_string_value_iid = 1;
	note->string_value_iid = intern(packets, TEXT_VALUE, text);
}

/* ---- tracks ------------------------------------------------------------- */

void track_write(struct packets *packets, perfetto_track *track, uint64_t uuid)
{
	track->has_uuid = 1;
	track->uuid = uuid;
	packet_begin(packets);
	packets->packet.track_descriptor = track;
	packet_end(packets);
}

static uint64_t add_track(struct packets *packets, const char *name,
                          perfetto_counter *counter)
{
	perfetto_track track = PERFETTO__PROTOS__TRACK_DESCRIPTOR__INIT;
	uint64_t uuid = packets->process + ++packets->tracks;

	track.name = (char *)text_clean(packets->store, name);
	track.has_parent_uuid = 1;
	track.parent_uuid = packets->process;
	track.counter = counter;
	track_write(packets, &track, uuid);
	return uuid;
}

uint64_t track_new(struct packets *packets, const char *name)
{
	return add_track(packets, name, NULL);
}

uint64_t counter_new(struct packets *packets, const char *name)
{
	perfetto_counter counter = PERFETTO__PROTOS__COUNTER_DESCRIPTOR__INIT;

	counter.has_unit = 1;
	counter.unit =
		PERFETTO__PROTOS__COUNTER_DESCRIPTOR__UNIT__UNIT_SIZE_BYTES;
	return add_track(packets, name, &counter);
}

void counter_set(struct packets *packets, uint64_t t, uint64_t track,
                 uint64_t value)
{
	event_begin(packets, EVENT(COUNTER), t, track);
	packets->event.has_counter_value = 1;
	packets->event.counter_value = (int64_t)value;
	event_end(packets);
}

/* ---- the clock ---------------------------------------------------------- */

void packets_clock(struct packets *packets, uint64_t time_of_day)
{
	perfetto_defaults defaults =
		PERFETTO__PROTOS__TRACE_PACKET_DEFAULTS__INIT;
	perfetto_snapshot snapshot = PERFETTO__PROTOS__CLOCK_SNAPSHOT__INIT;
	perfetto_clock clock[2], *clocks[2] = { &clock[0], &clock[1] };

	for (int i = 0; i < 2; i++) {
		perfetto__protos__clock_snapshot__clock__init(&clock[i]);
		clock[i].has_clock_id = clock[i].has_timestamp = 1;
	}
	clock[0].clock_id =
		PERFETTO__PROTOS__BUILTIN_CLOCK__BUILTIN_CLOCK_MONOTONIC;
	clock[0].timestamp = packets->start;
	clock[1].clock_id =
		PERFETTO__PROTOS__BUILTIN_CLOCK__BUILTIN_CLOCK_REALTIME;
	clock[1].timestamp = time_of_day;
	snapshot.clocks = clocks;
	snapshot.n_clocks = 2;
	snapshot.has_primary_trace_clock = 1;
	snapshot.primary_trace_clock = clock[0].clock_id;
	defaults.has_timestamp_clock_id = 1;
	defaults.timestamp_clock_id = clock[0].clock_id;
	packet_begin(packets);
	packets->packet.sequence_flags =
		PERFETTO__PROTOS__TRACE_PACKET__SEQUENCE_FLAGS__SEQ_INCREMENTAL_STATE_CLEARED;
	packets->packet.has_first_packet_on_sequence = 1;
	packets->packet.first_packet_on_sequence = 1;
	packets->packet.clock_snapshot = &snapshot;
	packets->packet.trace_packet_defaults = &defaults;
	packet_end(packets);
}
