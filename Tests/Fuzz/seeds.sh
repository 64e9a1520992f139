#!/bin/sh
# seeds.sh SHARED INTO: puts seeds for the fuzzer into the folder INTO, lines of the samples in SHARED that are there.
set -eu
shared=$1
into=$2
mkdir -p "$into"
for file in "$shared"/data/*.ndjson.gz; do
    if [ -e "$file" ]; then
        gzip -dc "$file" | awk -v into="$into/$(basename "$file" .ndjson.gz)" \
            'NR % 200 == 1 { name = into "-" NR; printf "%s", $0 > name; close(name) }'
    fi
done
for file in "$shared"/cases/*.ndjson; do
    if [ -e "$file" ]; then
        awk -v into="$into/$(basename "$file" .ndjson)" '{ name = into "-" NR; printf "%s", $0 > name; close(name) }' "$file"
    fi
done
for file in "$shared"/cases/*.ndjson "$shared"/cases/*.json; do
    if [ -e "$file" ]; then cp "$file" "$into/"; fi
done
