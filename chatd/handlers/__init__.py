"""HTTP, SSE and WebSocket in, values out: handlers load, call and write."""
