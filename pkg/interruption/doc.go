// Package interruption retries list and watch requests while the API server is
// unavailable, and computes until when consumers of EndpointSlices may lack
// recent writes, because their watches were interrupted like ours.
//
// An informer waits up to a minute between retries: after an API server was
// killed and restarted, the list of workloads came 65 s late. A Monitor retries
// within a second.
//
// Other programs do wait that long. A program that lists again sees only the last
// of the writes in between, so the second write of a change must wait until they
// have listed. The longest wait follows from the time for which the API server
// was unavailable (Recovery).
package interruption
