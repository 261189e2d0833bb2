package desired

import (
	"strconv"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// portText writes a port so that different ports have different texts.
func portText(p *discoveryv1.EndpointPort) string {
	var b strings.Builder
	for _, part := range []*string{p.Name, (*string)(p.Protocol), p.AppProtocol} {
		if part == nil {
			b.WriteString("-;")
			continue
		}
		b.WriteString(strconv.Quote(*part))
		b.WriteByte(';')
	}
	if p.Port != nil {
		b.WriteString(strconv.Itoa(int(*p.Port)))
	}
	b.WriteByte('\n')
	return b.String()
}

// String lists the ports as a human reads them, like "http:8080/TCP".
func (p Ports) String() string {
	texts := make([]string, len(p))
	for i := range p {
		texts[i] = humanPort(&p[i])
	}
	return strings.Join(texts, ",")
}

func humanPort(p *discoveryv1.EndpointPort) string {
	text := ""
	if p.Name != nil && *p.Name != "" {
		text = *p.Name + ":"
	}
	if p.Port != nil {
		text += strconv.Itoa(int(*p.Port))
	}
	if p.Protocol != nil {
		text += "/" + string(*p.Protocol)
	}
	return text
}
