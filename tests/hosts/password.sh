#!/bin/sh
printf "%s\n" "$TEST_PASSWORD"
