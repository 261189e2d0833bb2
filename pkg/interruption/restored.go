package interruption

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxPage bounds how much of a list of one object's metadata is read. Kubernetes
// accepts objects of up to 1.5 MiB.
const maxPage = 2 << 20

// wentBack reports whether the API server's storage is older than the
// resourceVersion at which a watch goes on. The API server accepts such a watch
// and sends no event before the version is reached again, which may take days, and
// never one for the deletion of what the backup lacked. It does not know if the
// API server does not say.
//
// Versions are compared as numbers: those of one resource are etcd's revisions
// (KEP-5504).
func wentBack(next http.RoundTripper, watch *http.Request, query url.Values) bool {
	seen, err := strconv.ParseUint(query.Get("resourceVersion"), 10, 64)
	if err != nil {
		return false
	}
	now, err := revision(next, watch, query.Get("labelSelector"))
	return err == nil && now < seen
}

// revision asks for the resourceVersion of a list as it is in the storage now.
func revision(next http.RoundTripper, watch *http.Request, labelSelector string) (uint64, error) {
	request := watch.Clone(watch.Context())
	query := url.Values{"limit": {"1"}}
	if labelSelector != "" {
		query.Set("labelSelector", labelSelector)
	}
	request.URL.RawQuery = query.Encode()
	request.Header.Set("Accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json")
	response, err := next.RoundTrip(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	var list metav1.PartialObjectMetadataList
	if err := json.NewDecoder(io.LimitReader(response.Body, maxPage)).Decode(&list); err != nil {
		return 0, err
	}
	return strconv.ParseUint(list.ResourceVersion, 10, 64)
}

// gone is the API server's answer to a watch from a resourceVersion that it has
// forgotten: the informer lists again.
func gone(request *http.Request) *http.Response {
	const status = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"the storage is older than the resourceVersion of the watch"}`
	return &http.Response{
		StatusCode: http.StatusGone, Status: "410 Gone", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(strings.NewReader(status)),
		ContentLength: int64(len(status)),
		Request:       request,
	}
}
