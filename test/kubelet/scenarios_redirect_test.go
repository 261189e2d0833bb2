package kubelet

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// hops redirects as often as the path says, by a function of the next one.
func hops(code int, location func(r *http.Request, left int) string) server {
	return web(func(w http.ResponseWriter, r *http.Request) {
		left, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil || left == 0 {
			return
		}
		w.Header().Set("Location", location(r, left-1))
		w.WriteHeader(code)
	})
}

func relative(_ *http.Request, left int) string { return fmt.Sprintf("/%d", left) }

func absolute(r *http.Request, left int) string {
	return fmt.Sprintf("http://%s/%d", r.Context().Value(http.LocalAddrContextKey), left)
}

func to(location string) func(*http.Request, int) string {
	return func(*http.Request, int) string { return location }
}

func redirectScenarios() map[string]scenario {
	all := map[string]scenario{}
	for _, code := range []int{300, 301, 302, 303, 304, 305, 307, 308, 399} {
		all[fmt.Sprintf("redirect: by %d", code)] = scenario{hops(code, relative), get("/1")}
	}
	for _, n := range []int{2, 9, 10, 11} {
		all[fmt.Sprintf("redirect: %d times", n)] = scenario{hops(302, relative), get(fmt.Sprintf("/%d", n))}
	}
	for sentence, one := range map[string]scenario{
		"absolute, on the same address":          {hops(302, absolute), get("/1")},
		"with a Host field, relative":            {hops(302, relative), get("/1", field("Host", "shop"))},
		"with a Host field, absolute":            {hops(302, absolute), get("/1", field("Host", "shop"))},
		"with fields that are sent again":        {hops(302, relative), get("/1", field("Authorization", "a"), field("Cookie", "b=c"), field("X-A", "d"))},
		"to another name of the host":            {hops(302, to("http://localhost:1/")), get("/1")},
		"to another host":                        {hops(302, to("http://192.0.2.1/")), get("/1")},
		"to another host, without a scheme":      {hops(302, to("//192.0.2.1/")), get("/1")},
		"to a port that is closed":               {hops(302, to("http://127.0.0.1:1/")), get("/1")},
		"to the default port":                    {hops(302, to("http://127.0.0.1/")), get("/1")},
		"to HTTPS on a port of HTTP":             {hops(302, func(r *http.Request, left int) string { return strings.Replace(absolute(r, left), "http", "https", 1) }), get("/1")},
		"to another scheme":                      {hops(302, to("ftp://127.0.0.1/")), get("/1")},
		"to another scheme and host":             {hops(302, to("ftp://192.0.2.1/")), get("/1")},
		"to a scheme in upper case":              {hops(302, func(r *http.Request, left int) string { return strings.Replace(absolute(r, left), "http", "HTTP", 1) }), get("/1")},
		"to a user":                              {hops(302, func(r *http.Request, left int) string { return strings.Replace(absolute(r, left), "//", "//a:b@", 1) }), get("/1")},
		"to a fragment":                          {hops(302, to("/0#a")), get("/1")},
		"to a query":                             {hops(302, to("?a=b")), get("/a/1")},
		"to a path that is relative":             {hops(302, to("0")), get("/1")},
		"to a path with dots":                    {hops(302, to("../0")), get("/1")},
		"to no URL":                              {hops(302, to("http://%zz/")), get("/1")},
		"to nothing":                             {raw("HTTP/1.1 302 Found\r\nLocation: \r\nContent-Length: 0\r\n\r\n"), get("/")},
		"without a Location":                     {raw("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), get("/")},
		"with two Locations":                     {raw("HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), get("/")},
		"whose body hangs":                       {unfinished("HTTP/1.1 302 Found\r\nLocation: /\r\n\r\nx"), get("/")},
		"to another host, whose body hangs":      {unfinished("HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\nx"), get("/")},
		"to another host, whose body is cut off": {raw("HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 9\r\n\r\nx"), get("/")},
		"without end":                            {hops(302, to("/1")), get("/1")},
	} {
		all["redirect: "+sentence] = one
	}
	return all
}

func requestScenarios() map[string]scenario {
	all := map[string]scenario{}
	for _, path := range []string{"", "/", "a", "/a?b=c", "?a=b", "/%zz", "//host/a", "/a b", "/ü", "/a#b", "/%2F", "/../a", "http://192.0.2.1/a", "//a:b@host/c", "/a;b", "/a\nb", "/?a=%zz", "mailto:a", "*", "/\x7f"} {
		all[fmt.Sprintf("path: %q", path)] = scenario{web(nil), get(path)}
	}
	for sentence, one := range map[string]scenario{
		"a Host":                          {web(nil), get("/", field("Host", "shop.example.org"))},
		"a Host in lower case":            {web(nil), get("/", field("host", "shop.example.org"))},
		"two Hosts":                       {web(nil), get("/", field("Host", "a"), field("Host", "b"))},
		"an empty Host":                   {web(nil), get("/", field("Host", ""))},
		"a Host with a port":              {web(nil), get("/", field("Host", "shop:81"))},
		"an Accept":                       {web(nil), get("/", field("Accept", "text/plain"))},
		"an empty Accept":                 {web(nil), get("/", field("accept", ""))},
		"a User-Agent":                    {web(nil), get("/", field("User-Agent", "me"))},
		"an empty User-Agent":             {web(nil), get("/", field("user-agent", ""))},
		"a field twice":                   {web(nil), get("/", field("X-A", "1"), field("x-a", "2"))},
		"a field with spaces around":      {web(nil), get("/", field("X-A", " 1 "))},
		"a field with letters over 127":   {web(nil), get("/", field("X-A", "ü"))},
		"Connection: keep-alive":          {web(nil), get("/", field("Connection", "keep-alive"))},
		"Connection: close":               {web(nil), get("/", field("Connection", "close"))},
		"a Content-Length":                {web(nil), get("/", field("Content-Length", "5"))},
		"a Transfer-Encoding":             {web(nil), get("/", field("Transfer-Encoding", "chunked"))},
		"an Expect":                       {web(nil), get("/", field("Expect", "100-continue"))},
		"an Accept-Encoding":              {web(nil), get("/", field("Accept-Encoding", "gzip"))},
		"a value with a line break":       {web(nil), get("/", field("X-A", "1\r\nX-B: 2"))},
		"an invalid name":                 {web(nil), get("/", field("X A", "1"))},
		"a host as an address":            {web(nil), get("/", host(ip))},
		"a host as a name":                {web(nil), get("/", host("localhost"))},
		"a host in upper case":            {web(nil), get("/", host("LocalHost"))},
		"a host that does not resolve":    {web(nil), get("/", host("no_such.invalid"))},
		"a host with a redirect":          {hops(302, relative), get("/1", host("localhost"))},
		"a host with a redirect to an IP": {hops(302, absolute), get("/1", host("localhost"))},
	} {
		all["request: "+sentence] = one
	}
	return all
}
