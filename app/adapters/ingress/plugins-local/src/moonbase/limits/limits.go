// Package limits is a Traefik middleware that keeps the documented limits of a request: those for
// which Traefik has no setting of its own (how long sending may take, how long an answer may pause,
// how large a body of untold length may be), and the documented answers when one is passed.
//
// Traefik interprets this file (Yaegi), which shapes it: hooks are closures whose parameters all
// have names, for a method value with an unnamed one fails when called; and what is handed back to
// Traefik keeps no more than http.ResponseWriter and http.Hijacker of its methods, so that the
// response flushes by itself. A panic in a hook or in the timer would end Traefik: they stay small.
package limits

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync"
	"time"
)

// Config is one set of limits, in milliseconds and bytes. The time of one connect is the
// transport's, so that Traefik's retry goes on to the next container after it.
type Config struct {
	Send           int64 `json:"send"`
	ConnectAndSend int64 `json:"connectAndSend"`
	Read           int64 `json:"read"`
	Body           int64 `json:"body"`
}

// CreateConfig is called by Traefik, which then fills in the values of the document.
func CreateConfig() *Config {
	return &Config{}
}

// New is called by Traefik for each router that names the middleware, at each change.
func New(ctx context.Context, next http.Handler, config *Config, name string) (http.Handler, error) {
	if config.Send <= 0 || config.ConnectAndSend <= 0 || config.Read <= 0 {
		return nil, errors.New("moonbase limits: a limit is missing")
	}
	return &handler{
		next:           next,
		send:           time.Duration(config.Send) * time.Millisecond,
		connectAndSend: time.Duration(config.ConnectAndSend) * time.Millisecond,
		read:           time.Duration(config.Read) * time.Millisecond,
		body:           config.Body,
	}, nil
}

// A body up to this size is taken whole before the container is asked. Else Go's server may close
// what is left of it as soon as an answer begins, and the transport cuts that answer (seen for 8 of
// 100 event streams asked for by POST on a busy machine, with plain Traefik too).
const smallBody = 64 << 10

type handler struct {
	next                       http.Handler
	send, connectAndSend, read time.Duration
	body                       int64
}

// ServeHTTP stands before Traefik's retry: one clock runs over all attempts.
func (h *handler) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	if req.ContentLength > h.body {
		answer(rw, http.StatusRequestEntityTooLarge)
		return
	}
	streams := req.ContentLength < 0 || req.ContentLength > smallBody
	var small []byte
	if !streams && req.ContentLength > 0 {
		var err error
		if small, err = io.ReadAll(req.Body); err != nil {
			answer(rw, http.StatusBadRequest) // the visitor has left
			return
		}
	}
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	x := &exchange{handler: h, rw: rw, body: req.Body, told: req.ContentLength, cancel: cancel}
	x.started = time.Now()
	x.clock = time.AfterFunc(h.connectAndSend, x.expire)
	defer x.finish()
	trace := &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			x.mutex.Lock()
			if x.phase < reading {
				x.phase = reading
				x.clock.Reset(h.read)
			}
			x.mutex.Unlock()
		},
	}
	if streams { // else there is nothing to be slow to take: it fits the kernel's buffers
		trace.GotConn = func(info httptrace.GotConnInfo) { x.startSending() }
	}
	watched := req.WithContext(httptrace.WithClientTrace(ctx, trace))
	if streams {
		watched.Body = &requestBody{x}
	} else if len(small) > 0 {
		watched.Body = io.NopCloser(bytes.NewReader(small))
	}
	h.next.ServeHTTP(&response{x}, watched)
}

const (
	connecting = iota
	sending
	reading
	over // upgraded or answered: no limit applies any more
)

// exchange is one request and its answer. Its clock is set anew at each step of the container.
type exchange struct {
	handler *handler
	rw      http.ResponseWriter
	body    io.ReadCloser
	told    int64 // bytes of the body, -1 when the visitor did not tell
	cancel  context.CancelFunc
	clock   *time.Timer
	started time.Time
	wrote   bool // the answer's head; used by the handler's goroutine only

	mutex    sync.Mutex // the transport reads the body and reports in goroutines of its own
	phase    int
	sendTime time.Duration
	taken    int64 // bytes of the body
	verdict  int   // the status for a passed limit, 0 while all is well
}

// expire is the clock's: it ends the request, whatever Traefik is waiting for.
func (x *exchange) expire() {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	if x.phase == reading {
		x.end(http.StatusGatewayTimeout)
	} else {
		x.end(http.StatusBadGateway)
	}
}

// end cancels the request for a limit; the caller holds the mutex.
func (x *exchange) end(status int) {
	if x.phase == over {
		return
	}
	if x.verdict == 0 {
		x.verdict = status
	}
	x.cancel()
}

func (x *exchange) startSending() {
	x.mutex.Lock()
	defer x.mutex.Unlock()
	if x.phase == connecting {
		x.phase = sending
		x.sendTime = x.handler.connectAndSend - time.Since(x.started)
		if x.sendTime > x.handler.send {
			x.sendTime = x.handler.send
		}
		x.clock.Reset(x.sendTime)
	}
}

// finish is deferred. Traefik aborts a broken answer by a panic, which the interpreter would log
// as an error for each visitor who leaves early; the connection is cut here instead.
func (x *exchange) finish() {
	broken := recover()
	x.mutex.Lock()
	x.phase = over
	x.clock.Stop()
	verdict := x.verdict
	x.mutex.Unlock()
	if broken == nil {
		if verdict != 0 && !x.wrote {
			answer(x.rw, verdict)
		}
		return
	}
	if err, ok := broken.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		if hijacker, ok := x.rw.(http.Hijacker); ok {
			if conn, _, err := hijacker.Hijack(); err == nil {
				conn.Close()
				return
			}
		}
	}
	panic(broken) // HTTP/2 has no connection to cut; anything else is a fault of ours
}

// requestBody tells who is waited for: between two reads it is the container, which has yet to
// take what was read; during one it is the visitor, who may be slow.
type requestBody struct {
	x *exchange
}

func (b *requestBody) Read(p []byte) (int, error) {
	x := b.x
	x.mutex.Lock()
	if x.taken == x.told {
		// The transport looks for the end, which Go's server may have closed by now (`smallBody`).
		x.mutex.Unlock()
		return 0, io.EOF
	}
	if x.phase == sending {
		x.clock.Stop()
	}
	x.mutex.Unlock()
	n, err := x.body.Read(p)
	x.mutex.Lock()
	defer x.mutex.Unlock()
	x.taken += int64(n)
	if x.taken > x.handler.body {
		x.end(http.StatusRequestEntityTooLarge)
		return 0, errors.New("the request's body is too large")
	}
	if x.phase == sending {
		x.clock.Reset(x.sendTime)
	}
	return n, err
}

func (b *requestBody) Close() error {
	return b.x.body.Close()
}

// response passes the answer on at once and sets the clock at each piece of it.
type response struct {
	x *exchange
}

func (r *response) Header() http.Header {
	return r.x.rw.Header()
}

func (r *response) WriteHeader(status int) {
	x := r.x
	if status < 200 && status != http.StatusSwitchingProtocols {
		x.rw.WriteHeader(status) // an interim answer
		return
	}
	x.mutex.Lock()
	failed := status == http.StatusBadGateway || status == http.StatusGatewayTimeout
	if failed && x.phase == connecting {
		x.verdict = http.StatusBadGateway // Traefik's own: no container was reached
	}
	verdict := x.verdict
	if verdict == 0 {
		x.phase = reading
		x.clock.Reset(x.handler.read)
	} else {
		x.phase = over
	}
	x.mutex.Unlock()
	x.wrote = true
	if verdict != 0 {
		answer(x.rw, verdict)
		return
	}
	x.rw.WriteHeader(status)
	if len(x.rw.Header()["Content-Length"]) == 0 {
		x.flush() // a stream: its head must not wait for the first event
	}
}

func (r *response) Write(p []byte) (int, error) {
	x := r.x
	if !x.wrote {
		r.WriteHeader(http.StatusOK)
	}
	if x.phase == over {
		return len(p), nil // Traefik's text for an answer that was replaced
	}
	x.clock.Stop() // a slow visitor is not the container's fault
	n, err := x.rw.Write(p)
	x.flush()
	x.clock.Reset(x.handler.read)
	return n, err
}

// Hijack hands the connection over to an upgraded protocol, which may be silent for ever.
func (r *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	x := r.x
	hijacker, ok := x.rw.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("this connection cannot be upgraded")
	}
	x.mutex.Lock()
	x.phase = over
	x.clock.Stop()
	x.mutex.Unlock()
	return hijacker.Hijack()
}

func (x *exchange) flush() {
	if flusher, ok := x.rw.(http.Flusher); ok {
		flusher.Flush()
	}
}

// answer says in plain text which limit was passed.
func answer(rw http.ResponseWriter, status int) {
	text := http.StatusText(status)
	switch status {
	case http.StatusBadGateway:
		text = "Application not responding"
	case http.StatusGatewayTimeout:
		text = "Gateway timeout"
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	rw.Header().Set("Content-Length", strconv.Itoa(len(text)))
	rw.WriteHeader(status)
	io.WriteString(rw, text)
}
