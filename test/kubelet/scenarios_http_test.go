package kubelet

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

func get(path string, changes ...func(*corev1.HTTPGetAction)) corev1.ProbeHandler {
	action := &corev1.HTTPGetAction{Path: path}
	for _, change := range changes {
		change(action)
	}
	return corev1.ProbeHandler{HTTPGet: action}
}

func https(action *corev1.HTTPGetAction) { action.Scheme = corev1.URISchemeHTTPS }

func host(name string) func(*corev1.HTTPGetAction) {
	return func(action *corev1.HTTPGetAction) { action.Host = name }
}

func field(name, value string) func(*corev1.HTTPGetAction) {
	return func(action *corev1.HTTPGetAction) {
		action.HTTPHeaders = append(action.HTTPHeaders, corev1.HTTPHeader{Name: name, Value: value})
	}
}

func tcpScenarios() map[string]scenario {
	tcp := corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{}}
	named := func(name string) corev1.ProbeHandler {
		return corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Host: name}}
	}
	return map[string]scenario{
		"TCP: a port that is open":          {listen(hang), tcp},
		"TCP: a port that is closed":        {closed, tcp},
		"TCP: a server that closes":         {listen(func(net.Conn) {}), tcp},
		"TCP: an address as host":           {listen(hang), named(ip)},
		"TCP: a name as host":               {listen(hang), named("localhost")},
		"TCP: a name in upper case":         {listen(hang), named("LOCALHOST")},
		"TCP: a name that does not resolve": {listen(hang), named("no_such.invalid")},
	}
}

func statusScenarios() map[string]scenario {
	all := map[string]scenario{}
	for _, code := range []int{101, 199, 200, 201, 204, 206, 299, 300, 304, 305, 399, 400, 401, 404, 418, 500, 503, 599, 600, 999} {
		all["status "+strconv.Itoa(code)] = scenario{raw(fmt.Sprintf("HTTP/1.1 %d Any\r\nContent-Length: 0\r\n\r\n", code)), get("/")}
	}
	for sentence, text := range map[string]string{
		"status line: no reason":               "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
		"status line: HTTP/1.0":                "HTTP/1.0 200 OK\r\n\r\n",
		"status line: HTTP/2.0":                "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"status line: version 11.1":            "HTTP/11.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"status line: lower case":              "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"status line: no version":              "200 OK\r\n\r\n",
		"status line: HTTP/0.9":                "hello\r\n",
		"status line: two digits":              "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
		"status line: four digits":             "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
		"status line: a sign":                  "HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n",
		"status line: no number":               "HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
		"status line: an empty line before":    "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"status line: two spaces":              "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
		"status line: a tab":                   "HTTP/1.1\t200 OK\r\nContent-Length: 0\r\n\r\n",
		"status line: line feeds only":         "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"status line: nothing":                 "",
		"status line: cut off":                 "HTTP/1.1 200",
		"status line: longer than 4 KiB":       "HTTP/1.1 200 " + strings.Repeat("O", 5000) + "\r\nContent-Length: 0\r\n\r\n",
		"interim answer: 100 before 200":       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"interim answer: 103 before 503":       "HTTP/1.1 103 Hints\r\nLink: a\r\n\r\nHTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
		"interim answer: three before 200":     strings.Repeat("HTTP/1.1 102 Wait\r\n\r\n", 3) + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"interim answer: and nothing after it": "HTTP/1.1 100 Continue\r\n\r\n",
		"no HTTP: an SSH banner":               "SSH-2.0-OpenSSH_9.6\r\n",
	} {
		all[sentence] = scenario{raw(text), get("/")}
	}
	return all
}

func headerScenarios() map[string]scenario {
	many := func(n int) string {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "X-%d: a\r\n", i)
		}
		return text.String()
	}
	all := map[string]scenario{}
	for sentence, text := range map[string]string{
		"header: no colon":                         "A\r\n",
		"header: no name":                          ": a\r\n",
		"header: a space before the colon":         "A : b\r\n",
		"header: a space at the start":             " A: b\r\n",
		"header: folded":                           "A: b\r\n c\r\n\td\r\n",
		"header: a folded length":                  "Content-Length:\r\n 0\r\n",
		"header: NUL in a value":                   "A: b\x00\r\n",
		"header: a carriage return in a value":     "A: b\rc\r\n",
		"header: bytes over 127 in a value":        "A: b\xff\xfe\r\n",
		"header: bytes over 127 in a name":         "A\xff: b\r\n",
		"header: a name with an at sign":           "A@b: c\r\n",
		"header: lengths that agree":               "Content-Length: 0\r\nContent-Length: 0\r\n",
		"header: lengths that differ":              "Content-Length: 0\r\nContent-Length: 1\r\n",
		"header: a negative length":                "Content-Length: -1\r\n",
		"header: a length with a sign":             "Content-Length: +1\r\n",
		"header: an empty length":                  "Content-Length: \r\n",
		"header: a length without end":             "Content-Length: 99999999999999999999999\r\n",
		"header: an unknown encoding":              "Transfer-Encoding: gzip\r\n",
		"header: chunked twice":                    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
		"header: chunked and a length":             "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
		"header: one of 40 KiB":                    "A: " + strings.Repeat("b", 40<<10) + "\r\n",
		"header: one of 200 KiB":                   "A: " + strings.Repeat("b", 200<<10) + "\r\n",
		"header: 5000 fields":                      many(5000),
		"header: 900 KiB of fields":                many(75000),
		"header: more than 1 MiB":                  "A: " + strings.Repeat("b", 2<<20) + "\r\n",
		"header: a trailer that is announced":      "Trailer: X-A\r\nTransfer-Encoding: chunked\r\n",
		"header: a trailer that must not be one":   "Trailer: Content-Length\r\nTransfer-Encoding: chunked\r\n",
		"header: a Location longer than 16 KiB":    "Location: /" + strings.Repeat("b", 20<<10) + "\r\n",
		"header: a line that ends without a break": "A: b",
	} {
		end := "\r\n"
		if strings.Contains(text, "chunked") {
			end += "0\r\n\r\n"
		}
		if strings.HasSuffix(sentence, "without a break") {
			end = ""
		}
		all[sentence] = scenario{raw("HTTP/1.1 200 OK\r\n" + text + end), get("/")}
	}
	return all
}

func bodyScenarios() map[string]scenario {
	const length, chunked = "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	full := strings.Repeat("x", 10<<10)
	with := func(n int, body string) string { return fmt.Sprintf(length, n, body) }
	return map[string]scenario{
		"body: complete":                         {raw(with(5, "hello")), get("/")},
		"body: complete, the server stays":       {unfinished(with(5, "hello")), get("/")},
		"body: shorter than its length":          {raw(with(10, "hello")), get("/")},
		"body: longer than its length":           {raw(with(2, "hello")), get("/")},
		"body: hangs at once":                    {unfinished(with(10, "")), get("/")},
		"body: hangs in the middle":              {unfinished(with(10, "hello")), get("/")},
		"body: hangs after 10 KiB":               {unfinished(with(20<<10, full)), get("/")},
		"body: hangs a byte before 10 KiB":       {unfinished(with(20<<10, full[1:])), get("/")},
		"body: exactly 10 KiB":                   {unfinished(with(10<<10, full)), get("/")},
		"body: without a length, closed":         {raw("HTTP/1.1 200 OK\r\n\r\nhello"), get("/")},
		"body: without a length, hangs":          {unfinished("HTTP/1.1 200 OK\r\n\r\nhello"), get("/")},
		"body: of a 503 that hangs":              {unfinished("HTTP/1.1 503 No\r\n\r\nhello"), get("/")},
		"body: of a 204 that has none":           {unfinished("HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\n"), get("/")},
		"body: of a 304 that has none":           {unfinished("HTTP/1.1 304 Same\r\n\r\n"), get("/")},
		"body: chunks":                           {raw(chunked + "5\r\nhello\r\n0\r\n\r\n"), get("/")},
		"body: chunks with an extension":         {raw(chunked + "5;a=b\r\nhello\r\n0\r\n\r\n"), get("/")},
		"body: chunks with a trailer":            {raw(chunked + "5\r\nhello\r\n0\r\nX-A: b\r\n\r\n"), get("/")},
		"body: chunks with a malformed trailer":  {raw(chunked + "5\r\nhello\r\n0\r\nX A b\r\n\r\n"), get("/")},
		"body: chunks with a long trailer":       {raw(chunked + "0\r\nX: " + full + "\r\n\r\n"), get("/")},
		"body: a chunk's size is no number":      {raw(chunked + "zz\r\nhello\r\n"), get("/")},
		"body: a chunk's size is too large":      {raw(chunked + "fffffffffffffffff\r\nhello\r\n"), get("/")},
		"body: a chunk that is cut off":          {raw(chunked + "5\r\nhel"), get("/")},
		"body: no last chunk":                    {raw(chunked + "5\r\nhello\r\n"), get("/")},
		"body: a chunk with a wrong end":         {raw(chunked + "5\r\nhelloXX0\r\n\r\n"), get("/")},
		"body: chunks that hang":                 {unfinished(chunked + "5\r\nhello\r\n"), get("/")},
		"body: endless":                          {web(endless), get("/")},
		"no answer: the server hangs":            {listen(hang), get("/")},
		"no answer: the port is closed":          {closed, get("/")},
		"no answer: the connection is reset":     {listen(func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); _ = c.(*net.TCPConn).SetLinger(0) }), get("/")},
		"no answer: closed without reading":      {listen(func(net.Conn) {}), get("/")},
		"no answer: the header hangs":            {unfinished("HTTP/1.1 200 OK\r\nA: b\r\n"), get("/")},
		"no answer: interim answers, then hangs": {unfinished("HTTP/1.1 100 Continue\r\n\r\n"), get("/")},
	}
}

func endless(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := w.Write(make([]byte, 4<<10)); err != nil {
			return
		}
	}
}
