#!/bin/sh
# The suite `integration-tests`: is the page served, and with the greeting of the stage?
# Usage: integration.sh https://shop.itg.example.com
set -eu

url=${1:?the address of the stage is missing}

curl --fail --silent --show-error "$url/" | grep -q '<title>Shop</title>'
test -n "$(curl --fail --silent --show-error "$url/greeting.txt")"
echo "the shop answers at $url"
