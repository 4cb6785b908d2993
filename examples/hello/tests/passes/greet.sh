#!/bin/sh
# What is tested: one would rather find it in a src/ of its own.
echo "Hello, $1!"
