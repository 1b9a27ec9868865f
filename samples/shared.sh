# What several scripts in bash need; read it with `. samples/shared.sh`.
# shellcheck shell=bash disable=SC2086

# go_commands: those to use, a line each: of GOS, or the one on the PATH and
# Debian's, when they are there.
go_commands()
{
	if [ -n "${GOS-}" ]; then
		printf '%s\n' $GOS
	else
		command -v go || true
		[ ! -x /usr/lib/go/bin/go ] || echo /usr/lib/go/bin/go
	fi
}

# free_port: one on which nothing answers now.
free_port()
{
	local port
	while :; do
		port=$((20000 + RANDOM % 10000))
		(: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
	done
	echo "$port"
}
