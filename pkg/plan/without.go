package plan

import "slices"

// Without returns the plan without the writes that leaveOut names, and without those
// that wait for one of them to withdraw endpoints. Other writes do not wait for it
// any more.
func (p *Plan) Without(leaveOut func(*Write) bool) Plan {
	rest := Plan{Waiting: p.Waiting, StepsLeft: p.StepsLeft, Recovering: p.Recovering}
	at := make([]int, len(p.Writes)) // where each write is in the rest, or -1
	for i := range p.Writes {
		at[i] = -1
		replaces := slices.ContainsFunc(p.Writes[i].After, func(earlier int) bool { return at[earlier] < 0 && p.Writes[earlier].Withdraws() })
		if leaveOut(&p.Writes[i]) || replaces {
			continue
		}
		at[i] = len(rest.Writes)
		w := p.Writes[i]
		w.After = nil
		for _, earlier := range p.Writes[i].After {
			if at[earlier] >= 0 {
				w.After = append(w.After, at[earlier])
			}
		}
		rest.Writes = append(rest.Writes, w)
	}
	return rest
}
