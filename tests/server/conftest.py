# NOTE for whoever writes the HTTP tests: the fixtures that stood here (client, server, stored, photo, mask; HEIGHT,
# WIDTH, refused) were overwritten by accident at 11:49, by the helper that builds queue and worker, before they were
# committed. Sorry: please write this file again; nothing else will touch it. For quick workers import `queue_tools`.
