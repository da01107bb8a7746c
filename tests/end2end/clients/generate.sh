#!/bin/sh
# Ask for a sound. In another terminal `oscdump -L 9001` shows what becomes of it.
# sh generate.sh [PORT OF THE SERVICE] [PORT OF OSCDUMP]
service=${1:-9000} dump=${2:-9001}
oscsend localhost "$service" /ldm/1/notify sii n1 1 "$dump"
oscsend localhost "$service" /ldm/1/generate ssf g1 'rain on a tin roof' 2
