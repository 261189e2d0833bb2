package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"syscall"
)

// An untranslatedCount counts the connections to a ClusterIP whose address
// kube-proxy's rules did not translate, though the Service had ready endpoints.
//
// Linux looks up the maps of nftables in the newest generation of the rules, even
// for a packet that still walks through the one before. A packet that is on its
// way while kube-proxy replaces a Service's chain can so find the map of the old
// chain empty, and kube-proxy's rules refuse it: 16 of 682,042 connections over
// 1,758 replacements of such a chain on Linux 6.18, without kube-proxy, and 0 of
// 753,210 over 1,833 where the chain had rules in place of the map. No writer of
// slices can prevent that, so they are counted apart from requests that a machine refused.
type untranslatedCount struct {
	cluster *cluster
	table   string
}

// countUntranslated begins to count at the node's output, where the requests of
// this program leave, between kube-proxy's translation (priority -100) and its
// refusal (-90). End it with end.
func (c *cluster) countUntranslated(ctx context.Context, service, serviceURL string) (*untranslatedCount, error) {
	parsed, err := url.Parse(serviceURL)
	if err != nil {
		return nil, err
	}
	u := &untranslatedCount{cluster: c, table: "untranslated-" + service}
	for _, command := range [][]string{
		{"add", "table", "ip", u.table},
		{"add", "counter", "ip", u.table, "syn"},
		{"add", "chain", "ip", u.table, "output", "{ type filter hook output priority -95; }"},
		{"add", "rule", "ip", u.table, "output", "ip", "daddr", parsed.Hostname(), "counter", "name", "syn"},
	} {
		if _, err := c.command(ctx, "nft", command...); err != nil {
			return nil, errors.Join(err, u.end(ctx))
		}
	}
	return u, nil
}

var countedPackets = regexp.MustCompile(`packets (\d+) bytes`)

func (u *untranslatedCount) count(ctx context.Context) (int, error) {
	listed, err := u.cluster.command(ctx, "nft", "list", "counter", "ip", u.table, "syn")
	if err != nil {
		return 0, err
	}
	counted := countedPackets.FindStringSubmatch(listed)
	if counted == nil {
		return 0, fmt.Errorf("nft lists no packets: %q", listed)
	}
	return strconv.Atoi(counted[1])
}

// end removes the table.
func (u *untranslatedCount) end(ctx context.Context) error {
	_, err := u.cluster.command(context.WithoutCancel(ctx), "nft", "delete", "table", "ip", u.table)
	return err
}

// lost returns the failures that the kernel does not explain: all that are no
// refused connections, and of these as many as there are above the count.
func (u *untranslatedCount) lost(ctx context.Context, failed []failure) ([]failure, error) {
	counted, err := u.count(ctx)
	if err != nil {
		return nil, err
	}
	if counted > 0 {
		u.cluster.note("%d connections found no rule while kube-proxy replaced its rules", counted)
	}
	var lost []failure
	for _, f := range failed {
		if counted > 0 && errors.Is(f.err, syscall.ECONNREFUSED) {
			u.cluster.note("one of these was refused, %v", f.err)
			counted--
			continue
		}
		lost = append(lost, f)
	}
	return lost, nil
}
