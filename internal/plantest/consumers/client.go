package consumers

import "strings"

// Client is an open subscription to one port at Linkerd's destination service,
// with the set of addresses that its proxy balances over.
type Client struct {
	// Send, if set, is called with each message, such as "ADD 192.0.2.1:80".
	Send func(message string)

	zone     string
	snapshot []entry // what the service believes that it sent, ordered by workload
	has      map[Socket]Identity
}

// Has returns the addresses that the client balances over, each with the identity that
// the client expects there. Callers must not change the map.
func (c *Client) Has() map[Socket]Identity { return c.has }

// publish sends the client the difference between these entries and the last ones: first
// additions, then removals. The proxy knows sockets and not names, so a removal removes
// an address even if another workload has it.
func (c *Client) publish(entries []entry) {
	next := inZone(entries, c.zone)
	previous := c.snapshot
	c.snapshot = next
	for i := range next {
		j, known := findEntry(previous, next[i].workload)
		if !known || previous[j].zones != next[i].zones {
			c.has[next[i].socket] = next[i].identity
			c.send("ADD", next[i].socket)
		}
	}
	for i := range previous {
		if _, kept := findEntry(next, previous[i].workload); !kept {
			delete(c.has, previous[i].socket)
			c.send("REMOVE", previous[i].socket)
		}
	}
}

func (c *Client) send(verb string, socket Socket) {
	if c.Send != nil {
		c.Send(verb + " " + socket.String())
	}
}

// inZone returns the entries with a hint for the zone, if every entry has a hint and at
// least one matches; otherwise it returns all.
func inZone(entries []entry, zone string) []entry {
	if zone == "" {
		return entries
	}
	var local []entry
	for i := range entries {
		if entries[i].zones == "" {
			return entries
		}
		if entries[i].zones == zone || strings.Contains(","+entries[i].zones+",", ","+zone+",") {
			local = append(local, entries[i])
		}
	}
	if len(local) == 0 {
		return entries
	}
	return local
}
